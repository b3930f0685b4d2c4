//! Sizes and times as types, so that a number never travels without its unit.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

pub use super::secret::{Secret, SecretUrl};
pub use super::setting::Setting;

/// A number of bytes: `64KiB`, `256MiB`, `1G`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// The units of sizes, with their factors. Units with `i` are powers of 1024, as in Kubernetes.
const SIZES: [(&str, u64); 18] = [
    ("B", 1),
    ("k", 1_000),
    ("K", 1_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("M", 1_000_000),
    ("MB", 1_000_000),
    ("G", 1_000_000_000),
    ("GB", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("TB", 1_000_000_000_000),
    ("Ki", 1 << 10),
    ("KiB", 1 << 10),
    ("Mi", 1 << 20),
    ("MiB", 1 << 20),
    ("Gi", 1 << 30),
    ("GiB", 1 << 30),
    ("Ti", 1 << 40),
];

/// The smallest size that may be written without a unit: a smaller one is most likely meant in MiB.
const LEAST_BARE: u64 = 64 << 10;

impl ByteSize {
    /// As a length in memory; saturates where a `usize` is smaller.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Setting for ByteSize {
    const KIND: &'static str = "size";

    fn parse(text: &str) -> Result<Self, String> {
        let expected = || format!("expected a size such as \"64KiB\" or \"1GiB\", got {text:?}");
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| expected())?;
        let factor = match unit.trim() {
            "" if (1..LEAST_BARE).contains(&number) => {
                return Err(format!(
                    "{number} has no unit and would be bytes; did you mean \"{number}MiB\"? \
                     For bytes write \"{number}B\""
                ));
            }
            "" => 1,
            "TiB" => 1 << 40,
            unit => {
                let known = SIZES.iter().find(|(name, _)| *name == unit);
                known.map(|(_, factor)| *factor).ok_or_else(expected)?
            }
        };
        number.checked_mul(factor).map(Self).ok_or_else(|| format!("{text:?} is too large"))
    }

    fn schema() -> Value {
        let pattern = "^[0-9]+ *(B|[kK]|[kK]B|M|MB|G|GB|T|TB|Ki|KiB|Mi|MiB|Gi|GiB|Ti|TiB)?$";
        json!({ "anyOf": [
            { "type": "string", "pattern": pattern },
            { "type": "integer", "minimum": 0 },
        ] })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 8] = [
            (1 << 40, "TiB"),
            (1 << 30, "GiB"),
            (1 << 20, "MiB"),
            (1 << 10, "KiB"),
            (1_000_000_000, "GB"),
            (1_000_000, "MB"),
            (1_000, "kB"),
            (1, "B"),
        ];
        match UNITS.iter().find(|(factor, _)| self.0.is_multiple_of(*factor)) {
            Some((factor, unit)) if self.0 != 0 => write!(f, "{}{unit}", self.0 / factor),
            _ => f.write_str("0"),
        }
    }
}

impl Setting for Duration {
    const KIND: &'static str = "time";

    fn parse(text: &str) -> Result<Self, String> {
        let is_bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_bare && text.bytes().any(|byte| byte != b'0') {
            return Err(format!("{text} has no unit; did you mean \"{text}s\"?"));
        }
        let expected =
            || format!("expected a time such as \"10ms\", \"30s\" or \"1h30m\", got {text:?}");
        let seconds = if is_bare { 0.0 } else { seconds(text).ok_or_else(expected)? };
        // Some clocks cannot add more than that to the present time.
        let fits = seconds <= 100.0 * 365.0 * 86_400.0;
        let time = fits.then(|| Self::try_from_secs_f64(seconds).ok()).flatten();
        time.ok_or_else(|| format!("{text:?} is too large"))
    }

    fn schema() -> Value {
        let pattern = r"^(0+|([0-9.]+ *(us|ms|s|m|h|d) *)+)$";
        json!({ "anyOf": [
            { "type": "string", "pattern": pattern },
            { "type": "integer", "const": 0 },
        ] })
    }
}

/// The sum of numbers with units, such as `1h30m`.
fn seconds(text: &str) -> Option<f64> {
    let (mut rest, mut sum) = (text.trim(), 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let number: f64 = number.parse().ok()?;
        sum += match unit.trim() {
            "us" => number / 1e6,
            "ms" => number / 1e3,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3_600.0,
            "d" => number * 86_400.0,
            _ => return None,
        };
        rest = after;
    }
    (!text.trim().is_empty()).then_some(sum)
}

/// Whether an address can only be reached from this machine.
pub fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_what_they_print() {
        for text in ["0", "1B", "64KiB", "256MiB", "1GiB", "3TiB", "1GB"] {
            assert_eq!(ByteSize::parse(text).unwrap().to_string(), text);
        }
        for (text, bytes) in [
            ("1024B", 1024),
            ("65536", 65_536),
            ("1 MB", 1_000_000),
            ("1G", 1_000_000_000),
            ("1GB", 1_000_000_000),
            ("1GiB", 1 << 30),
            ("2Gi", 2 << 30),
            ("512M", 512_000_000),
            ("2Ti", 2 << 40),
        ] {
            assert_eq!(ByteSize::parse(text), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "-1", "1.5MiB", "MiB", "1mib", "99999999999999TiB", "1024"] {
            assert!(ByteSize::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_small_size_without_a_unit_is_not_taken_for_bytes() {
        let wrong = ByteSize::parse("1024").unwrap_err();
        assert!(wrong.contains("did you mean \"1024MiB\"?"), "{wrong}");
    }

    #[test]
    fn times_need_a_unit_unless_they_are_zero() {
        assert_eq!(Duration::parse("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(Duration::parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(Duration::parse("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(Duration::parse("0"), Ok(Duration::ZERO));
        assert_eq!(Duration::parse("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(Duration::parse("2d 1h"), Ok(Duration::from_hours(49)));
        for text in ["10", "s", "1e400s", "-1s", "5 weeks", "", "1h30", "1.2.3s"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mapped_loopback_is_loopback() {
        assert!(is_loopback("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!is_loopback("0.0.0.0".parse().unwrap()));
    }
}
