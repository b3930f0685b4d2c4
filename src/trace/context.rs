//! W3C Trace Context: which trace a request is part of, and under which span, as `traceparent` says.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Where a span's identity travels.
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What tracing systems add to it for themselves.
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const SAMPLED: u8 = 1;

/// The identity of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The trace; not 0.
    pub trace: u128,
    /// The span; not 0.
    pub span: u64,
    /// Whether the trace is recorded.
    pub sampled: bool,
}

/// A provider's call, for who is answered by it without having made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// The span of the call.
    pub call: Context,
    /// The span of the request in whose name it was made.
    pub by: u64,
}

impl Context {
    /// What a request's one `traceparent` says; `None` if it has none, several, or one that is wrong.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(&TRACEPARENT).iter();
        let first = all.next()?;
        if all.next().is_some() { None } else { Self::parse(first.as_bytes()) }
    }

    /// Reads `VERSION-TRACE-SPAN-FLAGS`. Versions that are not known yet begin like the first.
    fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(55)?;
        let mut fields = known.split(|byte| *byte == b'-');
        let mut field = |digits| fields.next().filter(|field| field.len() == digits).and_then(hex);
        let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        let ends_well =
            if version == 0 { rest.is_empty() } else { matches!(rest, [] | [b'-', ..]) };
        if version == 0xff || trace == 0 || span == 0 || !ends_well {
            return None;
        }
        let sampled = flags & u128::from(SAMPLED) != 0;
        Some(Self { trace, span: u64::try_from(span).ok()?, sampled })
    }

    /// The value of `traceparent`.
    pub fn header(&self) -> HeaderValue {
        let flags = if self.sampled { SAMPLED } else { 0 };
        let text = format!("00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span);
        HeaderValue::try_from(text).expect("digits are a header value")
    }
}

/// A number in lower-case digits, as the standard has them.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(text: &str) -> Option<Context> {
        Context::parse(text.as_bytes())
    }

    #[test]
    fn the_example_of_the_standard_is_read_and_written() {
        let context = read(EXAMPLE).unwrap();
        assert_eq!(context.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(context.span, 0x00f0_67aa_0ba9_02b7);
        assert!(context.sampled);
        assert_eq!(context.header(), EXAMPLE);
        let unsampled = EXAMPLE.replace("-01", "-00");
        assert!(!read(&unsampled).unwrap().sampled);
        assert_eq!(read(&unsampled).unwrap().header(), unsampled.as_str());
        // Flags that are not known are not passed on.
        assert_eq!(read(&EXAMPLE.replace("-01", "-ff")).unwrap().header(), EXAMPLE);
    }

    #[test]
    fn what_is_wrong_is_none() {
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0-4bf92f3577b34da6a3ce929d0e0e47360-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for later in [
            EXAMPLE.replace("00-4b", "cc-4b"),
            format!("{EXAMPLE}-what-ever").replace("00-4b", "cc-4b"),
        ] {
            assert_eq!(read(&later).unwrap().header(), EXAMPLE, "{later}");
        }
    }

    #[test]
    fn two_parents_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(Context::of(&headers), None);
        headers.append(&TRACEPARENT, HeaderValue::from_static(EXAMPLE));
        assert!(Context::of(&headers).is_some());
        headers.append(&TRACEPARENT, HeaderValue::from_static(EXAMPLE));
        assert_eq!(Context::of(&headers), None);
    }
}
