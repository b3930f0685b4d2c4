//! What a provider's answer tells about how often it may be called. Header names differ, their
//! meaning does not; pure functions.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// How many calls a minute there may be, and how many are left now, as providers call them.
static COUNTS: [(HeaderName, HeaderName); 3] = [
    (
        HeaderName::from_static("x-ratelimit-limit-requests"),
        HeaderName::from_static("x-ratelimit-remaining-requests"),
    ),
    (
        HeaderName::from_static("anthropic-ratelimit-requests-limit"),
        HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    ),
    (
        HeaderName::from_static("x-ratelimit-limit-req-minute"),
        HeaderName::from_static("x-ratelimit-remaining-req-minute"),
    ),
];

/// How many tokens are left now.
static TOKENS: [HeaderName; 4] = [
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-input-tokens-remaining"),
    HeaderName::from_static("x-ratelimit-remaining-tokens-query-minute"),
];

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
    /// How many calls a minute there may be, and how many are left.
    pub(super) calls: Option<(f64, f64)>,
    /// How many tokens are left.
    pub(super) tokens: Option<f64>,
}

impl Told {
    /// Reads an answer's head.
    pub(super) fn read(status: StatusCode, headers: &HeaderMap) -> Self {
        let throttled = is_throttled(status);
        Self {
            throttled,
            wait: throttled.then(|| asked_to_wait(headers)).flatten(),
            is_final: headers.get(&SHOULD_RETRY).is_some_and(|value| value == "false"),
            calls: COUNTS.iter().find_map(|(limit, left)| {
                let limit = number(headers.get(limit)?).filter(|limit| *limit >= 1.0)?;
                Some((limit, number(headers.get(left)?)?))
            }),
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
        assert_eq!(read(200, &openai).calls, Some((600.0, 3.0)));
        let anthropic = [
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
        ];
        let told = read(429, &anthropic);
        assert_eq!((told.calls, told.throttled), (Some((50.0, 0.0)), true));
        assert_eq!(read(200, &[("retry-after", "9")]), Told::default());
    }
}
