//! What is wrong with a configuration, said so that an operator can mend it.

use std::fmt;
use std::path::Path;

use super::known;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nowhere: the built-in default.
    Default,
    /// In the configuration file of this path.
    File(String),
    /// In the environment.
    Environment,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The dotted name of the setting; empty when it is the file as a whole.
    pub(crate) setting: String,
    /// Where it was set.
    pub(crate) origin: Origin,
    /// What is wrong and how to mend it, without the value of a secret.
    pub(crate) what: String,
}

impl Problem {
    pub(crate) fn new(setting: &str, origin: Origin, what: impl Into<String>) -> Self {
        Self {
            setting: setting.to_owned(),
            origin,
            what: what.into(),
        }
    }

    /// A setting that is wrong together with others, wherever it was set.
    #[must_use]
    pub(crate) fn about(setting: &str, what: impl Into<String>) -> Self {
        Self::new(setting, Origin::Default, what)
    }

    /// The same, for settings that are read from `file` and from nowhere else.
    pub(crate) fn in_file(&self, file: &Path) -> String {
        format!("{} (in {}) {}", self.setting, file.display(), self.what)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            origin,
            what,
        } = self;
        if setting.is_empty() {
            return f.write_str(what);
        }
        let variable = environment_name(setting);
        match origin {
            Origin::Default => write!(f, "{setting} ({variable} in the environment) {what}"),
            // One that nobody knows has no variable either.
            Origin::File(path) if known::lookup(setting).is_none() => {
                write!(f, "{setting} (in {path}) {what}")
            }
            Origin::File(path) => {
                write!(
                    f,
                    "{setting} (in {path}; {variable} in the environment) {what}"
                )
            }
            Origin::Environment => {
                write!(f, "{setting} (from {variable} in the environment) {what}")
            }
        }
    }
}

/// The name of the environment variable that sets `setting`.
pub(crate) fn environment_name(setting: &str) -> String {
    format!("OTPOST_{}", setting.to_uppercase().replace('.', "__"))
}

/// Everything that is wrong with a configuration.
#[derive(Debug)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is refused:")?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_setting_its_place_and_its_variable() {
        for (name, origin, text) in [
            (
                "log.level",
                Origin::Default,
                "log.level (OTPOST_LOG__LEVEL in the environment) is bad",
            ),
            (
                "log.level",
                Origin::File("o.toml".into()),
                "log.level (in o.toml; OTPOST_LOG__LEVEL in the environment) is bad",
            ),
            (
                "a.b",
                Origin::File("o.toml".into()),
                "a.b (in o.toml) is bad",
            ),
            (
                "a.b",
                Origin::Environment,
                "a.b (from OTPOST_A__B in the environment) is bad",
            ),
        ] {
            assert_eq!(Problem::new(name, origin, "is bad").to_string(), text);
        }
    }
}
