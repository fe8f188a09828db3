//! What the words of the command line ask for.

use std::path::PathBuf;
use std::time::Duration;

use super::database::Engine;
use crate::problem::{Outcome, Problem};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// For a look in between: every part in seconds.
    Quick,
    Usual,
    /// With as many stored sessions as the goals name.
    Full,
}

/// What to measure, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// The one part that is asked for; all of them without one.
    pub(super) part: Option<String>,
    pub(super) engines: Vec<Engine>,
    pub(super) scale: Scale,
    /// Sessions that are stored already where the growth is measured.
    rows: Option<u64>,
    /// Without what the product is compared with.
    pub(super) is_alone: bool,
    /// What is measured in place of a fresh build.
    pub(super) binary: Option<PathBuf>,
}

impl Options {
    /// Reads the words after `bench`.
    pub(super) fn read(words: &[&str]) -> Outcome<Self> {
        let mut options = Self {
            part: None,
            engines: Engine::ALL.to_vec(),
            scale: Scale::Usual,
            rows: None,
            is_alone: false,
            binary: None,
        };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || {
                words.next().ok_or_else(|| {
                    Problem::new(
                        format!("`{word}` lacks its value"),
                        "see `cargo xtask help`",
                    )
                })
            };
            match word {
                "--quick" => options.scale = Scale::Quick,
                "--full" => options.scale = Scale::Full,
                "--alone" => options.is_alone = true,
                "--engine" => options.engines = vec![Engine::named(value()?)?],
                "--binary" => options.binary = Some(PathBuf::from(value()?)),
                "--rows" => options.rows = Some(number(value()?)?),
                part if options.part.is_none() && !part.starts_with('-') => {
                    options.part = Some(part.to_owned());
                }
                other => {
                    return Err(Problem::new(
                        format!("`bench` knows no `{other}`"),
                        "see `cargo xtask help`",
                    ));
                }
            }
        }
        Ok(options)
    }

    /// How long one rate is measured.
    pub(super) fn time(&self) -> Duration {
        Duration::from_secs(match self.scale {
            Scale::Quick => 3,
            Scale::Usual | Scale::Full => 8,
        })
    }

    /// Sessions that are opened so that their codes can be submitted.
    pub(super) fn sessions(&self) -> u32 {
        match self.scale {
            Scale::Quick => 20_000,
            Scale::Usual | Scale::Full => 100_000,
        }
    }

    /// How long it may take to open them; there are fewer then.
    pub(super) fn opening(&self) -> Duration {
        Duration::from_secs(match self.scale {
            Scale::Quick => 6,
            Scale::Usual | Scale::Full => 15,
        })
    }

    /// Sessions that are stored already where the growth is measured.
    pub(super) fn rows(&self) -> u64 {
        self.rows.unwrap_or(match self.scale {
            Scale::Quick => 100_000,
            Scale::Usual => 1_000_000,
            Scale::Full => 10_000_000,
        })
    }
}

fn number(word: &str) -> Outcome<u64> {
    let number = word
        .parse()
        .ok()
        .filter(|number| (10_000..=16_000_000).contains(number));
    number.ok_or_else(|| {
        Problem::new(
            format!("`{word}` is no number of rows to begin with"),
            "10 000 to 16 000 000, such as: --rows 1000000",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_asks_for_every_part_on_both_engines() {
        let options = Options::read(&[]).unwrap();

        assert_eq!((options.part, options.engines.len()), (None, 2));
        assert_eq!(options.scale, Scale::Usual);
    }

    #[test]
    fn a_part_may_stand_among_the_options() {
        let words = ["--engine", "sqlite", "verify", "--quick", "--rows", "20000"];
        let options = Options::read(&words).unwrap();

        assert_eq!(options.part.as_deref(), Some("verify"));
        assert_eq!(options.engines, [Engine::Sqlite]);
        assert_eq!((options.scale, options.rows()), (Scale::Quick, 20_000));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for words in [
            &["verify", "send"][..],
            &["--slow"],
            &["--engine", "oracle"],
            &["--rows", "few"],
            &["--rows"],
        ] {
            assert!(Options::read(words).is_err(), "{words:?}");
        }
    }
}
