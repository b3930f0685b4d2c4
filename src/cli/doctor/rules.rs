//! The table of rules, the most important first.

use super::super::columns::printable;
use super::hits::{bypassed, evicted, hit_rate};
use super::limits::{bodies, connections, descriptors};
use super::providers::{breakers, erring, invalid, limited, refused, rejected, unreachable};
use super::snapshot::Snapshot;

/// The finding of a rule: a problem with advice, or a line that all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The name of the rule.
    pub(super) rule: &'static str,
    pub(super) text: String,
    /// The advice; none where nothing is wrong.
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn wrong(rule: &'static str, text: String, advice: String) -> Self {
        Self { rule, text, advice: Some(advice) }
    }

    pub(super) fn fine(rule: &'static str, text: impl Into<String>) -> Self {
        Self { rule, text: text.into(), advice: None }
    }
}

type Rule = fn(&Snapshot) -> Vec<Finding>;

/// Problems appear in this order.
const RULES: [Rule; 17] = [
    draining,
    refused,
    rejected,
    unreachable,
    erring,
    invalid,
    breakers,
    limited,
    tiers,
    panics,
    reload,
    descriptors,
    connections,
    bodies,
    traffic,
    evicted,
    bypassed,
];

/// The findings of all rules.
pub(super) fn all(snapshot: &Snapshot) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| rule(snapshot)).chain(hit_rate(snapshot)).collect()
}

fn draining(snapshot: &Snapshot) -> Vec<Finding> {
    if snapshot.stats.ready {
        return vec![Finding::fine("ready", "the sidecar is ready")];
    }
    let text = "The sidecar is draining: it accepts no new connections.".to_owned();
    let advice =
        "It ends when its last request has ended (server.drain). Start a new one.".to_owned();
    vec![Finding::wrong("ready", text, advice)]
}

fn reload(snapshot: &Snapshot) -> Vec<Finding> {
    if snapshot.series.sum("larder_config_last_reload_successful", &[]) != Some(0.0) {
        return vec![Finding::fine("reload", "the last reload succeeded")];
    }
    let text = "The last reload was refused. The configuration before it still runs.".to_owned();
    let advice =
        "`larder check` says what is wrong with the file. Fix it and reload again.".to_owned();
    vec![Finding::wrong("reload", text, advice)]
}

fn panics(snapshot: &Snapshot) -> Vec<Finding> {
    let panics = snapshot.series.count("larder_panics_total", &[]);
    if panics == 0 {
        return Vec::new();
    }
    let text = format!("{panics} requests failed because of a fault in larder.");
    let advice = "The log says where (\"a panic\"). Report it.".to_owned();
    vec![Finding::wrong("panics", text, advice)]
}

fn tiers(snapshot: &Snapshot) -> Vec<Finding> {
    let tiers = &snapshot.stats.tiers;
    let (up, down): (Vec<_>, Vec<_>) = tiers.iter().partition(|tier| tier.breaker == "closed");
    let mut findings = Vec::new();
    for tier in down {
        let kinds = snapshot.series.labels("larder_cache_errors_total", "kind");
        let kind = |kind: &&&str| {
            let labels = [("tier", &*tier.name), ("kind", **kind)];
            snapshot.series.count("larder_cache_errors_total", &labels) > 0
        };
        let kinds: Vec<&str> = kinds.iter().filter(kind).copied().collect();
        let kinds =
            if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        let reason = tier.reason.as_ref().map(|reason| format!(": {}", printable(reason)));
        let advice = match &*tier.name {
            "redis" => {
                "Check that the server of redis.url runs and takes this client's password. \
                 Requests are served without it; entries are not shared."
            }
            _ => "Check disk.dir: free space, permissions, and no other larder that uses it.",
        };
        let advice = if reason.is_some() {
            advice.to_owned()
        } else {
            format!("{advice} The log has the reason.")
        };
        let text = format!("The {} tier is down{}.", tier.name, reason.unwrap_or(kinds));
        findings.push(Finding::wrong("tiers", text, advice));
    }
    let names: Vec<String> =
        up.iter().map(|tier| format!("{} ({} entries)", tier.name, tier.entries)).collect();
    if !names.is_empty() {
        findings.push(Finding::fine("tiers", format!("tiers up: {}", names.join(", "))));
    }
    findings
}

fn traffic(snapshot: &Snapshot) -> Vec<Finding> {
    let responses = snapshot.stats.responses;
    if responses > 0 {
        return vec![Finding::fine("traffic", format!("{responses} requests since the start"))];
    }
    let proxy = &snapshot.proxy;
    let text = "No request has come through yet.".to_owned();
    let advice = format!(
        "Point your application at larder: `export OPENAI_BASE_URL={proxy}/v1`. `larder env` prints the \
         variables of all SDKs."
    );
    vec![Finding::wrong("traffic", text, advice)]
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::series::Series;
    use super::super::snapshot::{Stats, Tier};
    use super::*;

    /// A sidecar that is well.
    pub(in crate::cli::doctor) fn healthy() -> Snapshot {
        let memory = Tier {
            name: "memory".to_owned(),
            limit_bytes: 1_000,
            breaker: "closed".to_owned(),
            ..Tier::default()
        };
        Snapshot {
            stats: Stats { ready: true, responses: 5, tiers: vec![memory], ..Stats::default() },
            series: Series::read("larder_config_last_reload_successful 1\n"),
            proxy: "http://127.0.0.1:5273".to_owned(),
            ..Snapshot::default()
        }
    }

    /// The problems of a snapshot, by their rules.
    pub(in crate::cli::doctor) fn wrong(snapshot: &Snapshot) -> Vec<&'static str> {
        let findings = all(snapshot);
        findings.iter().filter(|one| one.advice.is_some()).map(|one| one.rule).collect()
    }

    #[test]
    fn a_healthy_sidecar_has_no_problem_and_says_so_line_by_line() {
        let findings = all(&healthy());
        assert!(findings.iter().all(|finding| finding.advice.is_none()), "{findings:?}");
        assert!(findings.len() >= 4, "{findings:?}");
    }

    #[test]
    fn the_state_of_the_process_comes_before_its_traffic() {
        let mut snapshot = healthy();
        snapshot.stats.ready = false;
        snapshot.stats.responses = 0;
        let series = "larder_config_last_reload_successful 0\nlarder_panics_total 2\n";
        snapshot.series = Series::read(series);
        assert_eq!(wrong(&snapshot), ["ready", "panics", "reload", "traffic"]);
        let traffic = traffic(&snapshot);
        let advice = traffic[0].advice.as_ref().unwrap();
        assert!(advice.contains("OPENAI_BASE_URL=http://127.0.0.1:5273/v1"), "{advice}");
    }

    #[test]
    fn a_tier_that_is_down_is_named_with_the_kinds_of_its_errors() {
        let mut snapshot = healthy();
        let (name, breaker) = ("redis".to_owned(), "open".to_owned());
        snapshot.stats.tiers.push(Tier { name, breaker, ..Tier::default() });
        let series = "larder_cache_errors_total{kind=\"io\",tier=\"redis\"} 2\n\
            larder_cache_errors_total{kind=\"timeout\",tier=\"disk\"} 1\n";
        snapshot.series = Series::read(series);
        let findings = tiers(&snapshot);
        assert_eq!(findings[0].text, "The redis tier is down (io).");
        assert!(findings[1].text.starts_with("tiers up: memory"), "{findings:?}");
        snapshot.stats.tiers[1].reason = Some("connection refused by 127.0.0.1:9".to_owned());
        let text = &tiers(&snapshot)[0].text;
        assert_eq!(text, "The redis tier is down: connection refused by 127.0.0.1:9.");
    }
}
