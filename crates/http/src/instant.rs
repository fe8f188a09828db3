//! Times as the wire writes them.

use otpost_domain::Timestamp;
use serde::{Serialize, Serializer, ser::Error};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const WHOLE_SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// An instant in RFC 3339, UTC, whole seconds: `2026-01-10T12:05:00Z`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instant(pub(crate) Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let secs = self.0.as_millis().div_euclid(1000);
        let instant = OffsetDateTime::from_unix_timestamp(secs).map_err(S::Error::custom)?;
        let text = instant.format(WHOLE_SECONDS).map_err(S::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_in_whole_seconds_of_utc() {
        for (millis, text) in [
            (1_768_046_700_000, "\"2026-01-10T12:05:00Z\""),
            (1_768_046_700_999, "\"2026-01-10T12:05:00Z\""),
            (0, "\"1970-01-01T00:00:00Z\""),
        ] {
            let written = serde_json::to_string(&Instant(Timestamp::from_millis(millis)));
            assert_eq!(written.unwrap(), text, "{millis}");
        }
    }
}
