//! Sizes, times and addresses as types, so that a number never travels without its unit.
//!
//! Every type reads the one text form that the file, the environment and the flags share, and
//! prints it back the same way. Nothing here knows which key it belongs to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A value of the configuration: one text form, whatever it was written in.
pub trait Setting: Sized {
    /// What the reference calls the type.
    const KIND: &'static str;
    /// Whether TOML needs quotes around the text form.
    const QUOTED: bool = true;

    /// Reads the text form; the error says what was expected.
    fn parse(text: &str) -> Result<Self, String>;
}

/// A number of bytes: `512`, `64KiB`, `256MiB`, `1GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

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
        let factor: u64 = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => return Err(expected()),
        };
        let number: u64 = number.parse().map_err(|_| expected())?;
        number.checked_mul(factor).map(Self).ok_or_else(|| format!("{text:?} is too large"))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let fits = |shift: &u32| self.0 != 0 && self.0.is_multiple_of(1 << shift);
        match units.iter().find(|(shift, _)| fits(shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Setting for Duration {
    const KIND: &'static str = "time";

    fn parse(text: &str) -> Result<Self, String> {
        let expected = || format!("expected a time such as \"10ms\" or \"30s\", got {text:?}");
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: f64 = number.parse().map_err(|_| expected())?;
        let seconds = match unit.trim() {
            "us" => number / 1e6,
            "ms" => number / 1e3,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3_600.0,
            "d" => number * 86_400.0,
            "" if number == 0.0 => 0.0,
            _ => return Err(expected()),
        };
        // What is later than that cannot be added to the time of some clocks.
        let fits = seconds <= 100.0 * 365.0 * 86_400.0;
        let time = fits.then(|| Self::try_from_secs_f64(seconds).ok()).flatten();
        time.ok_or_else(|| format!("{text:?} is too large"))
    }
}

impl Setting for SocketAddr {
    const KIND: &'static str = "address";

    fn parse(text: &str) -> Result<Self, String> {
        let address = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        address.as_deref().unwrap_or(text).parse().map_err(|_| {
            format!("expected an IP address and a port such as \"127.0.0.1:5273\", got {text:?}")
        })
    }
}

impl Setting for u32 {
    const KIND: &'static str = "number";
    const QUOTED: bool = false;

    fn parse(text: &str) -> Result<Self, String> {
        text.replace('_', "")
            .parse()
            .map_err(|_| format!("expected a whole number, not negative, got {text:?}"))
    }
}

impl Setting for bool {
    const KIND: &'static str = "true or false";
    const QUOTED: bool = false;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("expected true or false, got {text:?}"))
    }
}

impl Setting for String {
    const KIND: &'static str = "text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Setting for Vec<String> {
    const KIND: &'static str = "list of texts";

    fn parse(text: &str) -> Result<Self, String> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(items.map(str::to_owned).collect())
    }
}

impl Setting for http::Method {
    const KIND: &'static str = "method";

    fn parse(text: &str) -> Result<Self, String> {
        // Methods are told apart by case, and all that HTTP knows are in capitals.
        let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase());
        let method = is_word.then(|| Self::from_bytes(text.as_bytes()).ok()).flatten();
        method.ok_or_else(|| format!("expected a method such as \"POST\", got {text:?}"))
    }
}

/// What need not be said; empty is that it is not.
impl<T: Setting> Setting for Option<T> {
    const KIND: &'static str = T::KIND;
    const QUOTED: bool = T::QUOTED;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
}

/// A text that must never be shown: it prints as `***`, whoever asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Setting for Secret {
    const KIND: &'static str = "secret";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "unset" } else { "***" })
    }
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
        for text in ["0", "1", "64KiB", "256MiB", "1GiB", "3TiB"] {
            assert_eq!(ByteSize::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(ByteSize::parse("1024"), Ok(ByteSize(1024)));
        assert_eq!(ByteSize::parse("1 MB"), Ok(ByteSize(1_000_000)));
        for text in ["", "-1", "1.5MiB", "MiB", "1mib", "99999999999999TiB"] {
            assert!(ByteSize::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_need_a_unit_unless_they_are_zero() {
        assert_eq!(Duration::parse("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(Duration::parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(Duration::parse("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(Duration::parse("0"), Ok(Duration::ZERO));
        for text in ["10", "s", "1e400s", "-1s", "5 weeks"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::parse("sk-1234").unwrap();
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.expose(), "sk-1234");
    }

    #[test]
    fn a_mapped_loopback_is_loopback() {
        assert!(is_loopback("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!is_loopback("0.0.0.0".parse().unwrap()));
    }
}
