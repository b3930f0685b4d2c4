//! What a process of this machine has used, as Linux says; nothing elsewhere.

use std::fs;
use std::time::Duration;

/// Linux counts the time of processes in hundredths of a second, on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// How much processor time it has had, all its threads together.
pub(crate) fn processor(pid: &str) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may have spaces; the fields behind it do not.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let ticks: [u32; 2] = [fields.next()?.parse().ok()?, fields.next()?.parse().ok()?];
    Some(TICK * ticks.iter().sum())
}

/// A line of its status in bytes: `VmRSS`, or `VmHWM` for the most memory that it ever had.
pub(crate) fn memory(pid: u32, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process;

    use super::*;

    #[test]
    fn this_process_has_used_something_and_no_process_nothing() {
        let (now, most) = (memory(process::id(), "VmRSS"), memory(process::id(), "VmHWM"));
        assert!(now.unwrap() > 1 << 20 && most >= now, "{now:?} {most:?}");
        assert!(processor("self").is_some());
        assert_eq!(processor("4294967295"), None);
    }
}
