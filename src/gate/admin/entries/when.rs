//! A moment as an operator writes it: `2026-11-26T08:00:00Z`, seconds since 1970, or how long ago it is
//! (`24h`, `7d`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::units::Setting;

/// How many whole seconds have gone by since a moment; an error if it is none, or has not come.
pub(super) fn seconds_since(text: &str, now: SystemTime) -> Result<u64, String> {
    let wrong = || {
        let forms = "2026-11-26T08:00:00Z, seconds since 1970, or an age such as 24h or 7d";
        format!("before: expected {forms}, got {text:?}")
    };
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let number = |text: &str| text.parse::<u64>().ok();
    let dated = |text: &str| {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(moment.unix_timestamp()).ok()
    };
    if let Some(moment) = number(text).or_else(|| dated(text)) {
        return now.checked_sub(moment).ok_or_else(|| format!("before: {text} has not come yet"));
    }
    Duration::parse(text).map(|age| age.as_secs()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_a_number_or_an_age() {
        let now = UNIX_EPOCH + Duration::from_hours(490_040);
        for (text, seconds) in [
            ("1764143990", 10),
            ("2025-11-26T07:59:50Z", 10),
            ("2025-11-26T08:59:50+01:00", 10),
            ("90m", 5_400),
            ("7d", 604_800),
            ("1.5s", 1),
        ] {
            assert_eq!(seconds_since(text, now), Ok(seconds), "{text}");
        }
        for text in ["", "yesterday", "7 weeks", "1764144001", "-1", "9e99d", "2025-11-26", "NaNs"]
        {
            seconds_since(text, now).expect_err(text);
        }
    }
}
