//! Typed access to the layers, which collects what is wrong instead of stopping at the first.

use std::path::{Path, PathBuf};

use config::{Value, ValueKind};
use secrecy::SecretString;

use super::known::{self, FILE, Kind};
use super::layers::{Layers, in_words, origin};
use super::problem::{Origin, Problem};

/// Reads settings by name. A value that is wrong is recorded and read as not set.
#[derive(Debug)]
pub(crate) struct Reader {
    layers: Layers,
    pub(crate) problems: Vec<Problem>,
    /// What an operator should hear of, though it is no reason to refuse.
    pub(crate) warnings: Vec<String>,
}

impl Reader {
    /// Begins with what is wrong already.
    pub(crate) fn new(layers: Layers, problems: Vec<Problem>) -> Self {
        Self {
            layers,
            problems,
            warnings: Vec::new(),
        }
    }

    /// The names of the projects that are configured.
    pub(crate) fn projects(&self) -> Vec<String> {
        self.layers.projects.clone()
    }

    /// The names of the settings right below `section`.
    pub(crate) fn members(&self, section: &str) -> Vec<String> {
        let below = |path: &String| {
            let name = path.strip_prefix(section)?.strip_prefix('.')?;
            (!name.contains('.')).then(|| name.to_owned())
        };
        self.layers.values.keys().filter_map(below).collect()
    }

    /// The value as it was read, for kinds with a form of their own.
    pub(crate) fn value(&self, path: &str) -> Option<Value> {
        self.layers.values.get(path).cloned()
    }

    /// Where `path` was set.
    pub(crate) fn origin(&self, path: &str) -> Origin {
        self.layers.values.get(path).map_or(Origin::Default, origin)
    }

    /// Records that `path` is wrong.
    pub(crate) fn refuse(&mut self, path: &str, what: impl Into<String>) {
        let origin = self.origin(path);
        self.problems.push(Problem::new(path, origin, what));
    }

    /// Records that `path` is wrong with its value, unless it is a secret's.
    fn refuse_value(&mut self, path: &str, value: &Value) {
        let Some(known) = known::lookup(path) else {
            return;
        };
        let kind = known.setting.kind;
        let takes = in_words(kind);
        if kind.is_secret() {
            self.refuse(path, format!("must be {takes}; its value is not shown"));
        } else {
            self.refuse(path, format!("must be {takes}, not {}", shown(value)));
        }
    }

    pub(crate) fn text(&mut self, path: &str) -> Option<String> {
        let value = self.value(path)?;
        if let ValueKind::String(text) = value.kind {
            return Some(text);
        }
        self.refuse_value(path, &value);
        None
    }

    /// A text that `parse` takes.
    pub(crate) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        path: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(path)?;
        match parse(&text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.refuse(path, format!("is refused: {error}"));
                None
            }
        }
    }

    pub(crate) fn number(&mut self, path: &str) -> Option<u32> {
        let value = self.value(path)?;
        let number = match &value.kind {
            ValueKind::I64(number) => u32::try_from(*number).ok(),
            ValueKind::String(text) if origin(&value) == Origin::Environment => text.parse().ok(),
            _ => None,
        };
        let bounds = known::lookup(path).map(|known| known.setting.kind);
        match (number, bounds) {
            (Some(number), Some(Kind::Number(least, most))) if (least..=most).contains(&number) => {
                Some(number)
            }
            _ => {
                self.refuse_value(path, &value);
                None
            }
        }
    }

    /// A number whose bounds fit into a byte.
    pub(crate) fn small_number(&mut self, path: &str) -> Option<u8> {
        self.number(path)
            .and_then(|number| u8::try_from(number).ok())
    }

    pub(crate) fn flag(&mut self, path: &str) -> Option<bool> {
        let value = self.value(path)?;
        let flag = match &value.kind {
            ValueKind::Boolean(flag) => Some(*flag),
            ValueKind::String(text) if origin(&value) == Origin::Environment => text.parse().ok(),
            _ => None,
        };
        if flag.is_none() {
            self.refuse_value(path, &value);
        }
        flag
    }

    /// Whether a choice is `word`; `None` when it is not set or none of its words.
    pub(crate) fn choice(&mut self, path: &str) -> Option<&'static str> {
        let value = self.value(path)?;
        let words = match known::lookup(path).map(|known| known.setting.kind) {
            Some(Kind::Choice(words)) => words,
            _ => &[],
        };
        let chosen = match &value.kind {
            ValueKind::String(text) => words.iter().find(|word| *word == text),
            _ => None,
        };
        if chosen.is_none() {
            self.refuse_value(path, &value);
        }
        chosen.copied()
    }

    /// Several texts; in the environment one text, separated by white space.
    pub(crate) fn list(&mut self, path: &str) -> Option<Vec<String>> {
        let value = self.value(path)?;
        let texts = match &value.kind {
            ValueKind::String(text) if origin(&value) == Origin::Environment => Some(words(text)),
            ValueKind::Array(items) => items
                .iter()
                .map(|item| match &item.kind {
                    ValueKind::String(text) => Some(text.clone()),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        if texts.is_none() {
            self.refuse_value(path, &value);
        }
        texts
    }

    /// A secret, from its own value or from the file that `NAME_file` names.
    pub(crate) fn secret(&mut self, path: &str) -> Option<SecretString> {
        match self.secret_file(path) {
            Some(file) => Some(self.file(path, &file)?.into()),
            None => self.text(path).map(SecretString::from),
        }
    }

    /// Secrets, from their own values or from the file that `NAME_file` names.
    pub(crate) fn secrets(&mut self, path: &str) -> Option<Vec<SecretString>> {
        let texts = match self.secret_file(path) {
            Some(file) => words(&self.file(path, &file)?),
            None => self.list(path)?,
        };
        Some(texts.into_iter().map(SecretString::from).collect())
    }

    /// The file that holds the value of `path`, where the value itself does not stand in a later
    /// layer.
    pub(crate) fn secret_file(&mut self, path: &str) -> Option<PathBuf> {
        let file_path = format!("{path}{FILE}");
        let file = self.text(&file_path)?;
        let (of_file, of_value) = (self.origin(&file_path), self.origin(path));
        if of_file == of_value {
            self.refuse(
                path,
                format!("is set beside {file_path}: remove one of the two"),
            );
        }
        (of_file >= of_value).then(|| PathBuf::from(file))
    }

    /// What stands in the file of a secret.
    pub(crate) fn file(&mut self, path: &str, file: &Path) -> Option<String> {
        self.warn_of_readers(file);
        match std::fs::read_to_string(file) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                let file = file.display();
                self.refuse(
                    path,
                    format!("cannot be read from its file {file}: {error}"),
                );
                None
            }
        }
    }

    /// Warns when others than its owner can read a file with secrets.
    pub(crate) fn warn_of_readers(&mut self, file: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(metadata) = std::fs::metadata(file) else {
            return;
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let file = file.display();
            self.warnings.push(format!(
                "{file} holds secrets, and others than its owner can use it (mode {mode:04o}): \
                 run `chmod 600 {file}`"
            ));
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A value for a message, shortened.
fn shown(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => {
            let short: String = text.chars().take(60).collect();
            format!("{short:?}")
        }
        ValueKind::Array(_) => "a list".to_owned(),
        ValueKind::Table(_) => "a table".to_owned(),
        ValueKind::Nil => "nothing".to_owned(),
        ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_) => value.to_string(),
    }
}
