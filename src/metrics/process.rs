//! The metrics of the process: CPU, memory, file descriptors, threads, under the names that Prometheus's client
//! libraries give them. Read from `/proc/self` at each scrape; empty where there is none.
//!
//! The refused alternative is the `process` feature of the `prometheus` crate: four crates (procfs, an older
//! rustix), a twentieth of the build's time, and whole seconds of CPU only.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Opts};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// Reads the process's own state at each scrape.
pub(super) struct ProcessCollector {
    cpu: Counter,
    open_fds: Gauge,
    max_fds: Gauge,
    virtual_memory: Gauge,
    resident_memory: Gauge,
    start_time: Gauge,
    threads: Gauge,
}

/// The fields of `/proc/self/stat` that are shown (`proc_pid_stat(5)`).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// User and system time, in clock ticks.
    cpu_ticks: u64,
    threads: u64,
    /// Start, in clock ticks since boot.
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl ProcessCollector {
    pub(super) fn new() -> prometheus::Result<Self> {
        let gauge = |name, help| Gauge::with_opts(Opts::new(name, help));
        let cpu = Opts::new("process_cpu_seconds_total", "User and system CPU time in seconds.");
        let collector = Self {
            cpu: Counter::with_opts(cpu)?,
            open_fds: gauge("process_open_fds", "Open file descriptors.")?,
            max_fds: gauge("process_max_fds", "Maximum number of open file descriptors.")?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory in bytes.")?,
            resident_memory: gauge("process_resident_memory_bytes", "Resident memory in bytes.")?,
            start_time: gauge(
                "process_start_time_seconds",
                "Start of the process in seconds since the Unix epoch.",
            )?,
            threads: gauge("process_threads", "Threads of the process.")?,
        };
        if let Some(started) = started() {
            collector.start_time.set(started.as_secs_f64());
        }
        Ok(collector)
    }

    fn refresh(&self) {
        if let Some(stat) = Stat::read() {
            self.cpu.inc_by((seconds(stat.cpu_ticks) - self.cpu.get()).max(0.0));
            self.threads.set(float(stat.threads));
            self.virtual_memory.set(float(stat.virtual_bytes));
            let page = u64::try_from(page_size()).unwrap_or_default();
            self.resident_memory.set(float(stat.resident_pages.saturating_mul(page)));
        }
        if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory itself.
            self.open_fds.set(float(descriptors.count().saturating_sub(1) as u64));
        }
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            self.max_fds.set(float(limit));
        }
    }

    fn metrics(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu,
            &self.open_fds,
            &self.max_fds,
            &self.virtual_memory,
            &self.resident_memory,
            &self.start_time,
            &self.threads,
        ]
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.metrics().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.refresh();
        self.metrics().into_iter().flat_map(Collector::collect).collect()
    }
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// The command's name may hold spaces and brackets; the fields after it do not.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The state, the first of the fields here, is number 3 of the manual page.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.saturating_add(field(15)?),
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// The start of the process since the Unix epoch: now, less its age.
fn started() -> Option<Duration> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    let age = (uptime - seconds(Stat::read()?.start_ticks)).max(0.0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    now.checked_sub(Duration::try_from_secs_f64(age).ok()?)
}

fn seconds(ticks: u64) -> f64 {
    float(ticks) / float(clock_ticks_per_second().max(1))
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a 64-bit float")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_move_the_fields() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 30 12 13 14 15 16 5 18 9000 4096 77 20";
        let line = format!("42 (a) b (c) {fields}");
        let stat = Stat {
            cpu_ticks: 42,
            threads: 5,
            start_ticks: 9000,
            virtual_bytes: 4096,
            resident_pages: 77,
        };
        assert_eq!(Stat::parse(&line), Some(stat));
        assert_eq!(Stat::parse("42 (a) S 1"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn the_process_itself_is_shown() {
        let collector = ProcessCollector::new().unwrap();
        assert_eq!(collector.collect().len(), 7);
        assert!(collector.open_fds.get() >= 3.0);
        assert!(collector.max_fds.get() >= collector.open_fds.get());
        assert!(collector.threads.get() >= 1.0);
        assert!(collector.resident_memory.get() > 1e6);
        assert!(collector.virtual_memory.get() >= collector.resident_memory.get());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((0.0..3_600.0).contains(&(now - collector.start_time.get())));
        let before = collector.cpu.get();
        let until = std::time::Instant::now() + Duration::from_millis(60);
        while std::time::Instant::now() < until {}
        collector.collect();
        assert!(collector.cpu.get() > before);
    }
}
