//! Values of the domain as columns, and back with everything checked: a row that does not convert
//! is reported with its table and column, and never a panic.

pub(crate) mod audit;
pub(crate) mod counters;
pub(crate) mod delivery;
pub(crate) mod kept_answer;
pub(crate) mod key;
pub(crate) mod session;

use otpost_domain::{Mode, ProjectName};
use otpost_ports::StoreError;

/// The numbers of [`Mode`] in every table.
pub(crate) const fn mode_number(mode: Mode) -> i16 {
    match mode {
        Mode::Live => 0,
        Mode::Test => 1,
    }
}

/// A table whose columns are read; its name goes into the error.
#[derive(Clone, Copy)]
pub(crate) struct Table(pub(crate) &'static str);

impl Table {
    /// The error of a row that nobody wrote. `reason` holds no value of the row.
    pub(crate) fn corrupt(self, reason: impl Into<String>) -> StoreError {
        StoreError::Corrupt {
            table: self.0,
            reason: reason.into(),
        }
    }

    fn out_of_range(self, column: &'static str) -> StoreError {
        self.corrupt(format!("{column} is out of range"))
    }

    fn bytes<const N: usize>(
        self,
        column: &'static str,
        value: Vec<u8>,
    ) -> Result<[u8; N], StoreError> {
        value
            .try_into()
            .map_err(|_| self.corrupt(format!("{column} has not {N} bytes")))
    }

    fn small(self, column: &'static str, value: i16) -> Result<u8, StoreError> {
        value.try_into().map_err(|_| self.out_of_range(column))
    }

    fn number(self, column: &'static str, value: i64) -> Result<u32, StoreError> {
        value.try_into().map_err(|_| self.out_of_range(column))
    }

    fn required<T>(self, column: &'static str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt(format!("{column} is missing")))
    }

    fn mode(self, value: i16) -> Result<Mode, StoreError> {
        match value {
            0 => Ok(Mode::Live),
            1 => Ok(Mode::Test),
            _ => Err(self.out_of_range("mode")),
        }
    }

    pub(crate) fn project(
        self,
        column: &'static str,
        value: &str,
    ) -> Result<ProjectName, StoreError> {
        ProjectName::parse(value).map_err(|_| self.corrupt(format!("{column} is no name")))
    }
}
