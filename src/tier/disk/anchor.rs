//! The directory's own line of seconds, which neither a restart nor a step of the wall clock bends.
//!
//! The anchor says which second of the line it was at some moment, told by two clocks: the machine's
//! time since it was started, which nobody sets, and the wall clock. While the machine was not started
//! anew the first is believed; after that the second, and then the line at least does not run back.

use std::fs;
use std::str::SplitAsciiWhitespace;
use std::time::{SystemTime, UNIX_EPOCH};

/// Which second of the line it is, and by which clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    line: i64,
    clocks: Clocks,
}

/// What the clocks say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clocks {
    /// Another with each start of the machine; empty where that is not known.
    boot: String,
    /// Seconds since that.
    up: i64,
    /// Seconds since 1970.
    wall: i64,
}

impl Clocks {
    /// What they say now.
    pub(super) fn read() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let up = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let up = up.split('.').next().and_then(|whole| whole.parse().ok());
        Self {
            // Without both they tell nothing.
            boot: up.map_or(String::new(), |_: i64| boot.trim().to_owned()),
            up: up.unwrap_or(0),
            wall: i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX),
        }
    }
}

impl Anchor {
    /// The anchor of this moment, after the one that was written last.
    pub(super) fn after(last: Option<&Self>, now: Clocks) -> Self {
        let line = last.map_or(now.wall, |last| last.line.saturating_add(last.passed(&now)));
        Self { line, clocks: now }
    }

    fn passed(&self, now: &Clocks) -> i64 {
        let then = &self.clocks;
        let passed = if !then.boot.is_empty() && then.boot == now.boot {
            now.up.saturating_sub(then.up)
        } else {
            now.wall.saturating_sub(then.wall)
        };
        passed.max(0)
    }

    /// The second of the line.
    pub(super) fn second(&self) -> i64 {
        self.line
    }

    pub(super) fn write(&self) -> String {
        let Clocks { boot, up, wall } = &self.clocks;
        let boot = if boot.is_empty() { "-" } else { boot };
        format!("{} {boot} {up} {wall}\n", self.line)
    }

    /// The anchor that was written; `None` for what is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(bytes).ok()?.split_ascii_whitespace();
        let number = |words: &mut SplitAsciiWhitespace<'_>| words.next()?.parse::<i64>().ok();
        let line = number(&mut words)?;
        let boot = words.next().filter(|boot| *boot != "-").unwrap_or_default().to_owned();
        let (up, wall) = (number(&mut words)?, number(&mut words)?);
        words.next().is_none().then_some(Self { line, clocks: Clocks { boot, up, wall } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(boot: &str, up: i64, wall: i64) -> Clocks {
        Clocks { boot: boot.to_owned(), up, wall }
    }

    #[test]
    fn a_step_of_the_wall_clock_bends_nothing_while_the_machine_runs() {
        let first = Anchor::after(None, clocks("a", 100, 5_000));
        assert_eq!(first.second(), 5_000);
        for step in [-4_000, 0, 1_000_000] {
            let later = Anchor::after(Some(&first), clocks("a", 160, 5_060 + step));
            assert_eq!(later.second(), 5_060, "{step}");
            // And from then on it is the new time that counts.
            let booted = Anchor::after(Some(&later), clocks("b", 5, 5_060 + step + 30));
            assert_eq!(booted.second(), 5_090, "{step}");
        }
    }

    #[test]
    fn the_line_never_runs_back() {
        let first = Anchor::after(None, clocks("a", 100, 5_000));
        assert_eq!(Anchor::after(Some(&first), clocks("b", 5, 10)).second(), 5_000);
        assert_eq!(Anchor::after(Some(&first), clocks("a", 5, 10)).second(), 5_000);
        let unknown = Anchor::after(None, clocks("", 0, 5_000));
        assert_eq!(Anchor::after(Some(&unknown), clocks("", 0, 5_007)).second(), 5_007);
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        for clocks in [Clocks::read(), clocks("", 0, 7)] {
            let anchor = Anchor::after(None, clocks);
            assert_eq!(Anchor::read(anchor.write().as_bytes()), Some(anchor));
        }
        for bytes in [
            &b""[..],
            b"1",
            b"1 a 2",
            b"a b c d",
            b"1 a 2 3 4",
            b"\xff",
            b"1 a 2 99999999999999999999",
        ] {
            assert_eq!(Anchor::read(bytes), None);
        }
    }
}
