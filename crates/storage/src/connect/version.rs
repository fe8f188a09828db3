//! Which SQLite and which PostgreSQL are new enough.

/// The oldest SQLite that is taken: before it, a checkpoint that races a commit which resets the
/// write-ahead log can corrupt the file (<https://sqlite.org/wal.html#walresetbug>).
pub(crate) const SQLITE_MIN: [u32; 3] = [3, 51, 3];

/// [`SQLITE_MIN`] for an operator.
pub(crate) fn oldest() -> String {
    SQLITE_MIN.map(|number| number.to_string()).join(".")
}

/// Whether `version`, as `sqlite_version()` says it, is [`SQLITE_MIN`] or newer. What is no
/// version is not new enough.
pub(crate) fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) =
        (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    [major, minor, patch] >= SQLITE_MIN
}

/// The oldest PostgreSQL that is taken, as `server_version_num` says it: those before it are out of
/// support.
const POSTGRES_MIN: u32 = 140_000;

/// Whether a server of this `server_version_num` is taken.
pub(crate) fn is_new_enough_postgres(number: &str) -> bool {
    number
        .parse::<u32>()
        .is_ok_and(|number| number >= POSTGRES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_is_taken_from_14_on() {
        for (number, expected) in [
            ("130022", false),
            ("140000", true),
            ("150018", true),
            ("170002", true),
            ("", false),
            ("new", false),
        ] {
            assert_eq!(is_new_enough_postgres(number), expected, "{number}");
        }
    }

    #[test]
    fn a_version_is_compared_number_by_number() {
        for (version, expected) in [
            ("3.51.3", true),
            ("3.51.10", true),
            ("3.52.0", true),
            ("4.0.0", true),
            ("3.51.3.1", true),
            ("3.51.2", false),
            ("3.9.99", false),
            ("2.99.99", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }

    #[test]
    fn the_oldest_that_is_taken_is_what_the_refusal_names() {
        assert!(is_new_enough(&oldest()));
        let found = "3.51.2".to_owned();
        let refused = crate::ConnectError::TooOld { found }.to_string();
        assert_eq!(
            refused,
            "SQLite 3.51.2 is too old: 3.51.3 or newer is needed"
        );
    }

    #[test]
    fn what_is_no_version_is_not_new_enough() {
        for version in ["", "3", "3.51", "3.x.4", "new", "-3.51.3"] {
            assert!(!is_new_enough(version), "{version}");
        }
    }
}
