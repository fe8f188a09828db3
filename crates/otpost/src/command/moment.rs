//! Moments as operators write and read them.

use otpost_domain::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The moment that `text` names, seen from `now`: a span such as `90d`, `12h` or `30m`, a
/// date, which begins at midnight UTC, or an RFC 3339 date and time.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let moment = span_secs(text).map(|secs| now.plus_secs(secs)).or_else(|| {
        let moment = OffsetDateTime::parse(text, &Rfc3339)
            .or_else(|_| OffsetDateTime::parse(&format!("{text}T00:00:00Z"), &Rfc3339))
            .ok()?;
        let millis = i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()?;
        Some(Timestamp::from_millis(millis))
    });
    match moment {
        None => Err(format!(
            "{text:?} is no time: write 90d, 12h, 30m, 2027-01-31 or 2027-01-31T08:00:00Z"
        )),
        Some(moment) if moment <= now => Err(format!("{text:?} is over already")),
        Some(moment) => Ok(moment),
    }
}

fn span_secs(text: &str) -> Option<u32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u32>().ok()?.checked_mul(unit)
}

/// The moment in UTC, to the second.
pub(super) fn show(moment: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp(moment.as_millis().div_euclid(1000));
    let shown = at.ok().and_then(|at| at.format(&Rfc3339).ok());
    shown.unwrap_or_else(|| "-".to_owned())
}

/// The moment in UTC, to the minute.
pub(super) fn show_minute(moment: Timestamp) -> String {
    let minute = moment.as_millis().div_euclid(60_000);
    let shown = show(Timestamp::from_millis(minute * 60_000));
    shown.replace(":00Z", "Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_768_046_400_000);

    #[test]
    fn a_moment_is_a_span_or_a_date() {
        for (text, shown) in [
            ("90d", "2026-04-10T12:00:00Z"),
            ("12h", "2026-01-11T00:00:00Z"),
            ("30m", "2026-01-10T12:30:00Z"),
            ("2026-01-10T13:30:00+01:00", "2026-01-10T12:30:00Z"),
            ("2026-01-11", "2026-01-11T00:00:00Z"),
        ] {
            assert_eq!(show(parse(text, NOON).unwrap()), shown, "{text}");
        }
    }

    #[test]
    fn a_minute_has_no_seconds() {
        for (secs, shown) in [
            (0, "2026-01-10T12:00Z"),
            (59, "2026-01-10T12:00Z"),
            (60, "2026-01-10T12:01Z"),
        ] {
            assert_eq!(show_minute(NOON.plus_secs(secs)), shown, "{secs}");
        }
    }

    #[test]
    fn anything_else_and_what_is_over_is_refused() {
        for text in [
            "",
            "d",
            "90",
            "-1d",
            "+1d",
            "0d",
            "1w",
            "99999999d",
            "2026-01-10",
            "2026-02-30",
            "12:30:00Z",
            "ä",
        ] {
            assert!(parse(text, NOON).is_err(), "{text}");
        }
        assert!(parse("2026-01-10T12:00:00Z", NOON).is_err());
    }
}
