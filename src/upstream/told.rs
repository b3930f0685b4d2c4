//! What a provider's answer tells about how often it may be called. Header names differ, their
//! meaning does not; pure functions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// The headers of a limit on calls, as a provider names them.
struct Limit {
    number: HeaderName,
    left: HeaderName,
    /// The time until all of the limit is left again, where the period is not a minute by its name or the
    /// provider's documents.
    reset: Option<HeaderName>,
}

static LIMITS: [Limit; 3] = [
    // A minute at some providers and models, a day at others (Groq, OpenAI's free tier).
    Limit {
        number: HeaderName::from_static("x-ratelimit-limit-requests"),
        left: HeaderName::from_static("x-ratelimit-remaining-requests"),
        reset: Some(HeaderName::from_static("x-ratelimit-reset-requests")),
    },
    Limit {
        number: HeaderName::from_static("anthropic-ratelimit-requests-limit"),
        left: HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
        reset: None,
    },
    Limit {
        number: HeaderName::from_static("x-ratelimit-limit-req-minute"),
        left: HeaderName::from_static("x-ratelimit-remaining-req-minute"),
        reset: None,
    },
];

/// How many tokens are left now.
static TOKENS: [HeaderName; 4] = [
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-input-tokens-remaining"),
    HeaderName::from_static("x-ratelimit-remaining-tokens-query-minute"),
];

/// Units of time, in seconds.
const UNITS: [(&str, f64); 6] =
    [("d", 86_400.0), ("h", 3_600.0), ("m", 60.0), ("s", 1.0), ("ms", 1e-3), ("us", 1e-6)];

static RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
static SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// What an answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Told {
    /// The call was one too many.
    pub(super) throttled: bool,
    /// How long not to come back.
    pub(super) wait: Option<Duration>,
    /// The same call will not be taken later either.
    pub(super) is_final: bool,
    /// The limit on calls.
    pub(super) calls: Option<Calls>,
    /// How many tokens are left.
    pub(super) tokens: Option<f64>,
}

/// A limit on calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Calls {
    /// The number of calls in a period.
    pub(super) limit: f64,
    /// The number that is left now.
    pub(super) left: f64,
    /// The time until all of the limit is left again, if that is known.
    pub(super) reset: Option<Duration>,
}

impl Calls {
    /// The number of calls that come back in a second. What was used comes back until the reset; without one
    /// the period is a minute. Some providers name the limit of a minute and count in the bucket of a second:
    /// where the period would be too short, `most`, the largest number that was ever left, counts as the limit.
    pub(super) fn per_second(&self, most: f64) -> f64 {
        const SHORTEST: f64 = 2.0;
        let used = self.limit - self.left;
        let reset = self.reset.map_or(0.0, |reset| reset.as_secs_f64());
        if used < 1.0 || reset <= 0.0 {
            return self.limit / 60.0;
        }
        let period = self.limit * reset / used;
        let used = if period < SHORTEST { used.min(most - self.left) } else { used };
        used.max(1.0) / reset
    }

    /// A limit for a minute.
    #[cfg(test)]
    #[expect(clippy::unnecessary_wraps, reason = "as an answer tells it")]
    pub(super) fn a_minute(limit: f64, left: f64) -> Option<Self> {
        Some(Self { limit, left, reset: None })
    }

    /// The count that an answer tells.
    fn read(headers: &HeaderMap, names: &Limit) -> Option<Self> {
        let limit = number(headers.get(&names.number)?).filter(|limit| *limit >= 1.0)?;
        let left = number(headers.get(&names.left)?)?;
        let reset = names.reset.as_ref().and_then(|name| headers.get(name));
        Some(Self { limit, left, reset: reset.and_then(period) })
    }
}

impl Told {
    /// Reads an answer's head.
    pub(super) fn read(status: StatusCode, headers: &HeaderMap) -> Self {
        let throttled = is_throttled(status);
        Self {
            throttled,
            wait: throttled.then(|| asked_to_wait(headers)).flatten(),
            is_final: headers.get(&SHOULD_RETRY).is_some_and(|value| value == "false"),
            calls: LIMITS.iter().find_map(|names| Calls::read(headers, names)),
            tokens: TOKENS.iter().find_map(|left| number(headers.get(left)?)),
        }
    }
}

/// Whether a call was one too many.
pub(super) fn is_throttled(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
}

/// How long whoever was refused is to wait: in milliseconds (`OpenAI`, Azure), or in seconds or as a date
/// (RFC 9110, section 10.2.3).
pub fn asked_to_wait(headers: &HeaderMap) -> Option<Duration> {
    if let Some(milliseconds) = headers.get(&RETRY_AFTER_MS).and_then(number) {
        return Duration::try_from_secs_f64(milliseconds / 1e3).ok();
    }
    let value = headers.get(header::RETRY_AFTER)?;
    if let Some(seconds) = number(value) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// A time as Go prints it (`6m0s`, `12ms`, `2m59.56s`), in seconds, or as seconds since 1970.
fn period(value: &HeaderValue) -> Option<Duration> {
    if let Some(seconds) = number(value) {
        const FIRST_DATE: f64 = 1e9;
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        return Some(if seconds < FIRST_DATE { time } else { time.saturating_sub(since_1970) });
    }
    let mut rest = value.to_str().ok()?.trim();
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let count: f64 = digits.parse().ok().filter(|count: &f64| *count >= 0.0)?;
        seconds += count * length;
        rest = next;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

fn number(value: &HeaderValue) -> Option<f64> {
    let number: f64 = value.to_str().ok()?.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, headers: &[(&str, &str)]) -> Told {
        let headers = headers.iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        });
        Told::read(StatusCode::from_u16(status).unwrap(), &headers.collect())
    }

    #[test]
    fn a_wait_is_in_milliseconds_in_seconds_or_until_a_date() {
        let wait = |headers: &[(&str, &str)]| read(429, headers).wait;
        assert_eq!(wait(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(wait(&[("retry-after", " 0.5 ")]), Some(Duration::from_millis(500)));
        let both = [("retry-after", "1"), ("retry-after-ms", "20")];
        assert_eq!(wait(&both), Some(Duration::from_millis(20)));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_mins(1));
        let left = wait(&[("retry-after", &date)]).unwrap();
        assert!((58..=60).contains(&left.as_secs()), "{left:?}");
        let past = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(wait(&[("retry-after", past)]), Some(Duration::ZERO));
    }

    #[test]
    fn nonsense_tells_nothing() {
        for value in ["soon", "-1", "NaN", "inf", "1e400", ""] {
            assert_eq!(read(429, &[("retry-after", value)]).wait, None, "{value}");
        }
        // A wait that no clock can hold is none.
        assert_eq!(read(429, &[("retry-after", "1e300")]).wait, None);
        let odd = [("x-ratelimit-limit-requests", "0"), ("x-ratelimit-remaining-requests", "0")];
        assert_eq!(read(200, &odd).calls, None);
    }

    #[test]
    fn counts_are_read_by_whatever_name() {
        let openai =
            [("x-ratelimit-limit-requests", "600"), ("x-ratelimit-remaining-requests", "3")];
        assert_eq!(read(200, &openai).calls, Calls::a_minute(600.0, 3.0));
        let anthropic = [
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
        ];
        let told = read(429, &anthropic);
        assert_eq!((told.calls, told.throttled), (Calls::a_minute(50.0, 0.0), true));
        assert_eq!(read(200, &[("retry-after", "9")]), Told::default());
    }

    #[test]
    fn a_limit_is_for_the_time_that_its_reset_says() {
        for (limit, left, reset, per_second) in [
            ("600", "3", "59.7s", 10.0),
            ("10", "0", "3s", 10.0 / 3.0),
            // A day's, as Groq has it.
            ("14400", "14370", "3m0s", 1.0 / 6.0),
            ("200", "199", "7m12s", 1.0 / 432.0),
            ("600", "599", "100ms", 10.0),
            ("60", "0", "60", 1.0),
            // A bucket of a second under the name of a minute.
            ("6000", "99", "10ms", 100.0),
            // Without a use, or a time, it is a minute's.
            ("60", "60", "3s", 1.0),
            ("60", "0", "0s", 1.0),
            ("60", "0", "soon", 1.0),
            ("60", "0", "", 1.0),
        ] {
            let told = read(
                200,
                &[
                    ("x-ratelimit-limit-requests", limit),
                    ("x-ratelimit-remaining-requests", left),
                    ("x-ratelimit-reset-requests", reset),
                ],
            );
            let calls = told.calls.unwrap();
            let told = calls.per_second(calls.left + 1.0);
            assert!((told - per_second).abs() < 1e-9, "{limit} {left} {reset}: {told}");
        }
    }
}
