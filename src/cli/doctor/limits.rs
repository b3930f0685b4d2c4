//! Rules about limits of the process: file descriptors, connections, memory for bodies.

use super::rules::Finding;
use super::snapshot::Snapshot;

/// A use of this share of a limit, in percent, is a problem.
const NEAR: u64 = 80;

fn is_near(used: u64, limit: u64) -> bool {
    limit > 0 && used.saturating_mul(100) >= limit.saturating_mul(NEAR)
}

/// Open files against the limit of the process.
pub(super) fn descriptors(snapshot: &Snapshot) -> Vec<Finding> {
    let used = snapshot.series.count("process_open_fds", &[]);
    let limit = snapshot.series.count("process_max_fds", &[]);
    if limit == 0 {
        return Vec::new();
    }
    let text = format!("file descriptors: {used} of {limit} in use");
    if !is_near(used, limit) {
        return vec![Finding::fine("descriptors", text)];
    }
    let advice = "Raise the limit (`ulimit -n`, LimitNOFILE of systemd), or lower \
        server.max_connections."
        .to_owned();
    vec![Finding::wrong("descriptors", format!("Almost at the limit of {text}."), advice)]
}

/// Connections of clients against `server.max_connections`.
pub(super) fn connections(snapshot: &Snapshot) -> Vec<Finding> {
    let used = snapshot.series.count("larder_downstream_connections", &[]);
    let limit = u64::from(snapshot.max_connections);
    if !is_near(used, limit) {
        return Vec::new();
    }
    let text = format!("Clients hold {used} of {limit} connections; more get a 503.");
    let advice = "Reuse connections in the application (one SDK client for all calls), or raise \
        server.max_connections."
        .to_owned();
    vec![Finding::wrong("connections", text, advice)]
}

/// Memory for bodies against its two budgets.
pub(super) fn bodies(snapshot: &Snapshot) -> Vec<Finding> {
    let budgets = [
        ("requests", "request bodies", "server.max_in_flight"),
        ("answers", "responses", "server.max_answers"),
    ];
    let finding = |(what, name, key): (&str, &str, &str)| {
        let labels = [("what", what)];
        let used = snapshot.series.count("larder_held_bytes", &labels);
        let limit = snapshot.series.count("larder_held_limit_bytes", &labels);
        let text = format!("Memory for {name} is almost full: {used} of {limit} bytes.");
        let advice =
            format!("Raise {key}, or send smaller requests. Beyond it larder answers 503.");
        is_near(used, limit).then(|| Finding::wrong("bodies", text, advice))
    };
    budgets.into_iter().filter_map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::rules::tests::{healthy, wrong};
    use super::super::series::Series;

    #[test]
    fn a_limit_that_is_near_is_a_problem() {
        let mut snapshot = healthy();
        snapshot.max_connections = 10;
        let at = |fds: u32, connections: u32, bytes: u32| {
            Series::read(&format!(
                "process_open_fds {fds}\nprocess_max_fds 100\n\
                 larder_downstream_connections {connections}\n\
                 larder_held_bytes{{what=\"answers\"}} {bytes}\n\
                 larder_held_limit_bytes{{what=\"answers\"}} 1000\n"
            ))
        };
        snapshot.series = at(79, 7, 799);
        assert_eq!(wrong(&snapshot), [""; 0]);
        snapshot.series = at(80, 8, 800);
        assert_eq!(wrong(&snapshot), ["descriptors", "connections", "bodies"]);
    }
}
