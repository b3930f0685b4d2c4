//! The memory that the configured bounds allow, compared with the limit of the process.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::build::least_for_bodies;
use crate::config::Config;
use crate::config::units::ByteSize;

/// Memory of the process itself: code, threads, connections, buffers.
const PROCESS: u64 = 64 << 20;

/// Directory of the control groups on Linux.
const GROUPS: &str = "/sys/fs/cgroup";

/// Limits from here on are none: version 1 of control groups writes a number where there is no limit.
const UNLIMITED: u64 = 1 << 60;

/// Warns if the process may grow beyond its limit: then the kernel ends it, or an allocation fails.
pub(super) fn warn_if_tight(config: &Config) {
    let bounds = bounds(config);
    let sum = PROCESS + bounds.iter().map(|(_, bound)| bound.0).sum::<u64>();
    let Some((limit, name)) = limit().filter(|(limit, _)| *limit < sum) else { return };
    let parts = bounds.iter().map(|(key, bound)| format!(", {key} {bound}"));
    let parts: String = parts.collect();
    tracing::warn!(
        "the memory limit ({name}) is {}, and the configured bounds allow {}: {} for the process{parts}; \
         lower them, or raise the limit",
        in_mebibytes(limit),
        in_mebibytes(sum),
        in_mebibytes(PROCESS),
    );
}

/// The bounds of everything that grows, with their keys.
fn bounds(config: &Config) -> Vec<(String, ByteSize)> {
    let server = &config.server;
    let bodies = ByteSize(server.max_in_flight.0.max(least_for_bodies(server) as u64));
    let mut bounds = vec![
        ("cache.memory".to_owned(), config.cache.memory),
        ("server.max_in_flight".to_owned(), bodies),
        ("server.max_answers".to_owned(), server.max_answers),
    ];
    if let Some(provider) = config.providers.get(&server.default_provider) {
        let key = format!("providers.{}.max_queued", server.default_provider);
        bounds.push((key, provider.max_queued));
    }
    if !config.disk.dir.is_empty() {
        bounds.push(("disk.max_queued".to_owned(), config.disk.max_queued));
    }
    if !config.redis.url.expose().is_empty() {
        bounds.push(("redis.max_queued".to_owned(), config.redis.max_queued));
    }
    bounds
}

/// The smallest limit of this process in bytes, with its name.
fn limit() -> Option<(u64, &'static str)> {
    let own = getrlimit(Resource::As).current.map(|limit| (limit, "ulimit -v"));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_group = group_limit(Path::new(GROUPS), &groups).map(|limit| (limit, "control group"));
    own.into_iter().chain(of_group).min()
}

/// The smallest limit of the control groups that `/proc/self/cgroup` names, and of those above them.
fn group_limit(root: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (kinds, path) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let (root, file) = if kinds.is_empty() {
            (root.to_owned(), "memory.max")
        } else if kinds.split(',').any(|kind| kind == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            return Vec::new();
        };
        let group = root.join(path.trim_start_matches('/'));
        let above = group.ancestors().take_while(|group| group.starts_with(&root));
        let limit = |group: &Path| fs::read_to_string(group.join(file)).ok()?.trim().parse().ok();
        above.filter_map(limit).collect::<Vec<u64>>()
    });
    limits.filter(|limit| *limit < UNLIMITED).min()
}

fn in_mebibytes(bytes: u64) -> ByteSize {
    ByteSize(bytes >> 20 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_limit_of_the_groups_above_counts() {
        let root = std::env::temp_dir().join(format!("larder-groups-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let file = root.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("pod/box/memory.max", "max\n");
        write("pod/memory.max", "1048576\n");
        write("memory/old/memory.limit_in_bytes", "2097152\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        for (groups, limit) in [
            ("0::/pod/box\n", Some(1 << 20)),
            ("0::/\n", None),
            ("5:cpu,cpuacct:/old\n4:memory:/old\n", Some(2 << 20)),
            // In a container the path may be one of the host.
            ("4:memory:/elsewhere\n0::/pod/elsewhere\n", Some(1 << 20)),
            ("", None),
        ] {
            assert_eq!(group_limit(&root, groups), limit, "{groups}");
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn all_bounds_that_are_in_use_are_counted() {
        let keys = |text: &str| {
            let config = Config::read("test", text, &[]).unwrap();
            bounds(&config).into_iter().map(|(key, _)| key).collect::<Vec<_>>().join(" ")
        };
        let always =
            "cache.memory server.max_in_flight server.max_answers providers.openai.max_queued";
        assert_eq!(keys(""), always);
        assert_eq!(keys("[disk]\ndir = \"/d\"\n"), format!("{always} disk.max_queued"));
    }
}
