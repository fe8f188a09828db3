//! Reading the layers: built-in defaults, then a file, then the environment.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat, Source as _, Value, ValueKind};

use super::known::{self, Kind, SETTINGS};
use super::problem::{Origin, Problem, environment_name};

const PREFIX: &str = "OTPOST_";
const SEPARATOR: &str = "__";
/// What `config` calls the environment.
const ENVIRONMENT: &str = "the environment";

/// Where a configuration is read from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The configuration file.
    pub(crate) file: Option<PathBuf>,
    /// The environment: names and values.
    pub(crate) environment: Vec<(String, String)>,
}

/// Every value that is set, by its dotted name, and the projects that are named.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) projects: Vec<String>,
    file: Option<String>,
}

impl Layers {
    /// Reads all layers, and tells of names that nobody knows.
    pub(crate) fn read(sources: &Sources) -> Result<(Self, Vec<Problem>), Problem> {
        let (environment, mut problems) = variables(&sources.environment);
        let mut builder =
            Config::builder().add_source(File::from_str(&defaults(), FileFormat::Toml));
        if let Some(path) = &sources.file {
            builder = builder.add_source(File::new(&path.to_string_lossy(), FileFormat::Toml));
        }
        let environment = Environment::with_prefix("OTPOST")
            .prefix_separator("_")
            .separator(SEPARATOR)
            // A variable that is set to nothing is how many tools say that it is not set.
            .ignore_empty(true)
            .source(Some(environment));
        let tree = builder
            .add_source(environment)
            .build()
            .and_then(|config| config.collect())
            .map_err(|error| unreadable(sources.file.as_deref(), &error))?;
        let mut layers = Self {
            file: sources.file.as_ref().map(|path| path.display().to_string()),
            ..Self::default()
        };
        for (name, value) in tree {
            layers.take(&name, value, &mut problems);
        }
        layers.projects.sort_unstable();
        problems.sort_by(|one, other| one.setting.cmp(&other.setting));
        Ok((layers, problems))
    }

    /// Whether a secret stands in the configuration file itself.
    pub(crate) fn hold_secrets_in_file(&self) -> bool {
        self.values.iter().any(|(path, value)| {
            let is_secret = known::lookup(path)
                .is_some_and(|known| known.setting.kind.is_secret() && !known.is_file);
            let is_bare_database = path == "database.url" && !value.to_string().contains('@');
            is_secret && !is_bare_database && matches!(origin(value), Origin::File(_))
        })
    }

    /// Where a value stands that is not a default. Tables do not remember, and only the file has
    /// one that holds no setting.
    fn origin_of_unknown(&self, value: &Value) -> Origin {
        match (origin(value), &self.file) {
            (Origin::Default, Some(file)) => Origin::File(file.clone()),
            (origin, _) => origin,
        }
    }

    /// Takes the value called `path`, member by member where it is a table.
    fn take(&mut self, path: &str, value: Value, problems: &mut Vec<Problem>) {
        if known::lookup(path).is_some() {
            self.values.insert(path.to_owned(), value);
            return;
        }
        let origin = self.origin_of_unknown(&value);
        match value.kind {
            ValueKind::Table(members) if !members.is_empty() || known::is_section(path) => {
                if let Some(project) = path.strip_prefix("projects.")
                    && !project.contains('.')
                {
                    self.projects.push(project.to_owned());
                }
                for (name, member) in members {
                    // A name in quotes could otherwise pass for two.
                    if name.contains('.') {
                        let path = format!("{path}.\"{name}\"");
                        problems.push(Problem::new(&path, origin.clone(), "is not a setting"));
                        continue;
                    }
                    self.take(&format!("{path}.{name}"), member, problems);
                }
            }
            _ => problems.push(unknown(path, origin)),
        }
    }
}

/// Where `value` was set.
pub(crate) fn origin(value: &Value) -> Origin {
    match value.origin() {
        None => Origin::Default,
        Some(ENVIRONMENT) => Origin::Environment,
        Some(path) => Origin::File(path.to_owned()),
    }
}

/// The built-in defaults as a configuration file.
fn defaults() -> String {
    let mut toml = String::new();
    for setting in SETTINGS {
        if let Some(default) = setting.default {
            let _ = writeln!(toml, "{} = {default}", setting.path);
        }
    }
    toml
}

/// The variables that are settings. Those without `__` belong to others, for a Kubernetes service
/// called otpost gives every container `OTPOST_PORT` and the like; unless one is a setting but
/// for its underscores.
fn variables(environment: &[(String, String)]) -> (config::Map<String, String>, Vec<Problem>) {
    let mut settings = config::Map::new();
    let mut problems = Vec::new();
    for (name, value) in environment {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if !rest.contains(SEPARATOR) {
            problems.extend(known::levelled(rest).map(|path| missing_underscore(name, path)));
            continue;
        }
        let path = rest.to_lowercase().replace(SEPARATOR, ".");
        if known::lookup(&path).is_some() {
            settings.insert(name.clone(), value.clone());
        } else {
            problems.push(unknown(&path, Origin::Environment));
        }
    }
    (settings, problems)
}

fn missing_underscore(name: &str, path: &str) -> Problem {
    let meant = environment_name(path);
    let what = format!(
        "{name} in the environment is not a setting: did you mean {meant}, with two underscores?"
    );
    Problem::new("", Origin::Environment, what)
}

fn unknown(path: &str, origin: Origin) -> Problem {
    let what = match known::nearest(path) {
        Some(name) => format!("is not a setting: did you mean {name}?"),
        None => "is not a setting: docs/configuration.md lists those that there are".to_owned(),
    };
    Problem::new(path, origin, what)
}

/// Says why the file cannot be read. The parser would show the line, which may hold a secret:
/// only its number and the reason are kept.
fn unreadable(file: Option<&Path>, error: &ConfigError) -> Problem {
    let path = file
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let what = match error {
        ConfigError::FileParse { cause, .. } => {
            let text = cause.to_string();
            let place = text.lines().next().unwrap_or_default();
            let reason = text
                .lines()
                .skip_while(|line| !line.trim_end().ends_with('^'))
                .skip(1);
            let reason = reason.collect::<Vec<_>>().join(" ");
            format!("{path} cannot be read as TOML: {place}: {reason}")
        }
        ConfigError::Foreign(cause) => format!("{path} cannot be read: {cause}"),
        _ => format!("{path} cannot be read"),
    };
    Problem::new("", Origin::File(path), what)
}

/// What a setting of this kind takes, in words.
pub(crate) fn in_words(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Secret => "a text".to_owned(),
        Kind::Number(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Flag => "true or false".to_owned(),
        Kind::Choice(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
            words.join(" or ")
        }
        Kind::List | Kind::SecretList => "a list of texts".to_owned(),
        Kind::Relays => "a list of URLs and tables".to_owned(),
    }
}
