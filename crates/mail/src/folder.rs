//! A folder of texts and layouts of one's own.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use icu_locale_core::Locale;

use crate::built_in::{HTML_LAYOUT, Source, TEXT_LAYOUT, TEXTS};
use crate::{TemplateError, Tone};

/// Mail programs cut a message that is longer, so no file can use more.
const FILE_BYTES_MAX: u64 = 100 * 1024;

const ENDING: &str = ".texts";
const INFORMAL: &str = ".informal";

/// A file of texts.
#[derive(Debug)]
struct TextsFile {
    language: String,
    tone: Tone,
    file: String,
    text: String,
}

/// A file and what stands in it.
pub(crate) type Written = (String, String);

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    texts: Vec<TextsFile>,
    pub(crate) text_layout: Option<Written>,
    pub(crate) html_layout: Option<Written>,
    pub(crate) problems: Vec<TemplateError>,
}

/// What the files of a folder are known by: another stamp means that something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<(PathBuf, [u64; 2], [i64; 4])>);

impl Contents {
    /// Reads `folder`. Whatever is not called like a file of messages is passed over.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut contents = Self::default();
        match paths(folder) {
            Ok(paths) => paths.iter().for_each(|path| contents.take(path)),
            Err(error) => {
                let problem = format!("the folder cannot be read: {error}");
                contents.refuse(folder, 1, problem);
            }
        }
        contents
    }

    /// The texts.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        self.texts.iter().map(|one| Source {
            language: &one.language,
            tone: one.tone,
            file: &one.file,
            text: &one.text,
        })
    }

    fn refuse(&mut self, path: &Path, line: usize, problem: impl Into<String>) {
        let error = TemplateError::new(&path.display().to_string(), line, problem);
        self.problems.push(error);
    }

    fn take(&mut self, path: &Path) {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name else { return };
        if name == TEXT_LAYOUT.0 {
            self.text_layout = self.layout(path);
        } else if name == HTML_LAYOUT.0 {
            self.html_layout = self.layout(path);
        } else if let Some(stem) = name.strip_suffix(ENDING) {
            self.texts(path, stem);
        } else if is_slip(path) {
            let problem = "this file is not used: there are LANGUAGE.texts, \
                           LANGUAGE.informal.texts, layout.html and layout.txt";
            self.refuse(path, 1, problem);
        }
    }

    fn texts(&mut self, path: &Path, stem: &str) {
        let (tag, tone) = match stem.strip_suffix(INFORMAL) {
            Some(tag) => (tag, Tone::Informal),
            None => (stem, Tone::Formal),
        };
        let Some(language) = language(tag) else {
            let problem = format!("{tag} is not the BCP 47 tag of a language, such as de or pt-BR");
            return self.refuse(path, 1, problem);
        };
        let is_there = |one: &TextsFile| one.language == language && one.tone == tone;
        if self.texts.iter().any(is_there) {
            return self.refuse(path, 1, format!("there are two files for {language}"));
        }
        if let Some((file, text)) = self.written(path) {
            self.texts.push(TextsFile {
                language,
                tone,
                file,
                text,
            });
        }
    }

    fn layout(&mut self, path: &Path) -> Option<Written> {
        let (file, text) = self.written(path)?;
        for (index, line) in text.lines().enumerate() {
            if line.chars().any(|c| c.is_control() && c != '\t') {
                self.refuse(path, index + 1, "a layout must not hold control characters");
            }
        }
        Some((file, text))
    }

    fn written(&mut self, path: &Path) -> Option<Written> {
        let bytes = match read(path) {
            Ok(None) => {
                self.refuse(path, 1, "is not a regular file");
                return None;
            }
            Ok(Some(bytes)) if bytes.len() as u64 > FILE_BYTES_MAX => {
                self.refuse(path, 1, format!("is longer than {FILE_BYTES_MAX} bytes"));
                return None;
            }
            Ok(Some(bytes)) => bytes,
            Err(error) => {
                self.refuse(path, 1, format!("cannot be read: {error}"));
                return None;
            }
        };
        match String::from_utf8(bytes) {
            Ok(text) => {
                // Some editors write a mark before the first letter.
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
                Some((path.display().to_string(), text))
            }
            Err(error) => {
                let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = String::from_utf8_lossy(good).matches('\n').count() + 1;
                self.refuse(path, line, "is not UTF-8");
                None
            }
        }
    }
}

impl Stamp {
    pub(crate) fn of(folder: &Path) -> Self {
        let paths = paths(folder).unwrap_or_default();
        let stamps = paths.into_iter().filter_map(|path| {
            let data = fs::metadata(&path).ok()?;
            let times = [
                data.mtime(),
                data.mtime_nsec(),
                data.ctime(),
                data.ctime_nsec(),
            ];
            Some((path, [data.ino(), data.len()], times))
        });
        Self(stamps.collect())
    }
}

/// The start of a file, or nothing: whoever opens a pipe waits for its other end, and a device need
/// not end at all.
fn read(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// What stands in `folder`, by name.
fn paths(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let paths: std::io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths?;
    paths.sort_unstable();
    Ok(paths)
}

/// The tag as it is written everywhere, if it is one.
fn language(tag: &str) -> Option<String> {
    let built_in = TEXTS.iter().map(|source| source.language);
    let locale = Locale::try_from_str(tag).ok()?;
    let known = built_in
        .into_iter()
        .find(|one| one.eq_ignore_ascii_case(tag));
    Some(known.map_or_else(|| locale.to_string(), str::to_owned))
}

/// Whether a file that is not used was probably meant to be.
fn is_slip(path: &Path) -> bool {
    let is_hidden = |name: &str| name.starts_with('.');
    let name = path.file_name().and_then(|name| name.to_str());
    let ending = path.extension().and_then(|ending| ending.to_str());
    let is_meant = matches!(ending, Some("text" | "html" | "htm" | "hbs"));
    is_meant && !name.is_some_and(is_hidden)
}
