//! A chore that failed: what is wrong, and what to do about it.

use std::fmt;

/// What every chore answers.
pub(crate) type Outcome<T = ()> = Result<T, Problem>;

/// Something is wrong with the checkout, or with the machine.
#[derive(Debug)]
pub(crate) struct Problem {
    what: String,
    mend: String,
}

impl Problem {
    pub(crate) fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            mend: mend.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  to mend: {}", self.what, self.mend)
    }
}
