//! What the run was made on.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::thread;

use serde::Serialize;

/// A machine, and how busy it is with everything together.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    system: &'static str,
    architecture: &'static str,
    memory_bytes: Option<u64>,
    /// Over the last minute; what else runs makes figures worse.
    pub(crate) load: Option<f64>,
}

impl Machine {
    /// The one that this runs on.
    pub(crate) fn this() -> Self {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kilobytes = memory.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            system: OS,
            architecture: ARCH,
            memory_bytes: kilobytes.map(|kilobytes| kilobytes * 1024),
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()),
        }
    }

    /// In a line.
    pub(crate) fn line(&self) -> String {
        let load = self.load.map_or(String::new(), |load| format!(", load {load}"));
        format!("{} cores of {} ({}){load}", self.cores, self.processor, self.architecture)
    }
}
