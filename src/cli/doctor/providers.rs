//! Rules about providers: rejected keys, failures, open breakers, rate limits.

use super::super::columns::{counted, printable};
use super::super::failures::Failed;
use super::rules::Finding;
use super::snapshot::{Request, Snapshot};

/// A share of a provider's requests that is a problem even if the last request succeeded: one in ten.
const FEW: usize = 10;

/// The recent requests of one provider that it had to answer.
struct Recent<'a> {
    provider: &'a str,
    requests: Vec<&'a Request>,
}

impl Recent<'_> {
    /// The number of requests that failed in a way, if that still happens: to the last request, or to at
    /// least one in ten.
    fn failing(&self, fails: impl Fn(&Request) -> bool) -> Option<usize> {
        let count = self.requests.iter().filter(|request| fails(request)).count();
        let is_last = self.requests.first().is_some_and(|request| fails(request));
        (count > 0 && (is_last || count * FEW >= self.requests.len())).then_some(count)
    }
}

/// The recent requests by provider. Hits tell nothing about a provider.
fn recent(snapshot: &Snapshot) -> Vec<Recent<'_>> {
    let mut providers: Vec<Recent<'_>> = Vec::new();
    for request in snapshot.requests.iter().filter(|request| request.cache != "hit") {
        let provider = &*request.provider;
        if let Some(known) = providers.iter_mut().find(|known| known.provider == provider) {
            known.requests.push(request);
        } else {
            providers.push(Recent { provider, requests: vec![request] });
        }
    }
    providers
}

/// Providers that reject the key.
pub(super) fn rejected(snapshot: &Snapshot) -> Vec<Finding> {
    let recent = recent(snapshot);
    let finding = |one: &Recent<'_>| {
        let rejects =
            |request: &Request| matches!(request.status, 401 | 403) && request.error.is_none();
        let count = one.failing(rejects)?;
        let status = one.requests.iter().find(|request| rejects(request))?.status;
        let provider = printable(one.provider);
        let said = words(snapshot, one.provider, |failed| failed.status == status);
        let text = format!("{provider} rejects the API key: {count} × {status} recently{said}.");
        let advice = match status {
            401 => format!(
                "Check the key that your application sends for {provider}; larder passes it on. If \
                 larder has the key itself, check providers.{provider}.api_key_env."
            ),
            _ => format!("Check the permissions of the key at {provider}: model, project, region."),
        };
        Some(Finding::wrong("key", text, advice))
    };
    let wrong: Vec<Finding> = recent.iter().filter_map(finding).collect();
    if !wrong.is_empty() || recent.is_empty() {
        return wrong;
    }
    vec![Finding::fine("key", "no provider rejects a key")]
}

/// Providers that cannot be reached, or whose responses are unusable.
pub(super) fn unreachable(snapshot: &Snapshot) -> Vec<Finding> {
    let recent = recent(snapshot);
    let finding = |one: &Recent<'_>| {
        let count = one.failing(|request| request.error.as_deref().is_some_and(is_upstream))?;
        let provider = printable(one.provider);
        let failed = snapshot.stats.failed.iter();
        let mut failed = failed.filter(|failed| failed.provider == one.provider);
        let reason = failed.find_map(|failed| {
            failed.code.as_deref().filter(|code| is_upstream(code))?;
            failed.reason.as_deref().map(printable)
        });
        let reason = reason.unwrap_or_else(|| "the log has the reason".to_owned());
        let text =
            format!("{provider} fails: {reason} ({} recently).", counted(count as u64, "request"));
        let advice = format!(
            "Check providers.{provider}.base_url (--upstream), DNS, the proxy and the firewall. \
             `larder check --probe` calls the provider."
        );
        Some(Finding::wrong("reachable", text, advice))
    };
    recent.iter().filter_map(finding).collect()
}

/// The provider's own message for its failures of a kind, in brackets.
fn words(snapshot: &Snapshot, provider: &str, is_meant: impl Fn(&Failed) -> bool) -> String {
    let failed = snapshot.stats.failed.iter();
    let mut failed = failed.filter(|one| one.provider == provider && one.code.is_none());
    let reason = failed.find(|one| is_meant(one)).and_then(|one| one.reason.as_deref());
    reason.map(|reason| format!(" (\"{}\")", printable(reason))).unwrap_or_default()
}

fn is_upstream(code: &str) -> bool {
    const CODES: [&str; 4] =
        ["upstream_unreachable", "upstream_timeout", "upstream_invalid", "proxy_unreachable"];
    CODES.contains(&code)
}

/// Providers whose circuit breaker is open.
pub(super) fn breakers(snapshot: &Snapshot) -> Vec<Finding> {
    let providers = &snapshot.stats.providers;
    let open = providers.iter().filter(|provider| provider.breaker == "open");
    let wrong: Vec<Finding> = open
        .map(|provider| {
            let name = printable(&provider.name);
            let text =
                format!("The circuit breaker of {name} is open: its last calls got no response.");
            let advice = "Misses get a 503 until a call succeeds again. Cached responses are \
                still served. See the provider's status page, or set fallback."
                .to_owned();
            Finding::wrong("breaker", text, advice)
        })
        .collect();
    if !wrong.is_empty() {
        return wrong;
    }
    let names: Vec<String> = providers.iter().map(|one| printable(&one.name)).collect();
    if names.is_empty() {
        return wrong;
    }
    vec![Finding::fine("breaker", format!("circuit breakers closed: {}", names.join(", ")))]
}

/// Providers that limit the rate.
pub(super) fn limited(snapshot: &Snapshot) -> Vec<Finding> {
    let recent = recent(snapshot);
    let finding = |one: &Recent<'_>| {
        let count = one.failing(|request| request.status == 429)?;
        let provider = printable(one.provider);
        let text = format!("{provider} limits the rate: {count} × 429 recently.");
        let advice = format!(
            "Raise the limit at {provider}, send bulk work with `x-larder-priority: bulk`, or set \
             providers.{provider}.fallback."
        );
        Some(Finding::wrong("rate", text, advice))
    };
    recent.iter().filter_map(finding).collect()
}

/// Providers that answer with an error of their own.
pub(super) fn erring(snapshot: &Snapshot) -> Vec<Finding> {
    let recent = recent(snapshot);
    let finding = |one: &Recent<'_>| {
        let errs = |request: &Request| {
            !matches!(request.status, 0..=399 | 401 | 403 | 429) && request.error.is_none()
        };
        let count = one.failing(errs)?;
        let status = one.requests.iter().find(|request| errs(request))?.status;
        let provider = printable(one.provider);
        let requests = counted(one.requests.len() as u64, "recent request");
        let said = words(snapshot, one.provider, |failed| failed.status == status);
        let text =
            format!("{provider} answers with errors: {count} of {requests}, last {status}{said}.");
        let advice = if status >= 500 {
            format!("See the provider's status page, or set providers.{provider}.fallback.")
        } else {
            "The application's requests are refused: `larder tail` shows which, and the response's \
             body says why."
                .to_owned()
        };
        Some(Finding::wrong("errors", text, advice))
    };
    recent.iter().filter_map(finding).collect()
}

/// Providers with responses that failed validation.
pub(super) fn invalid(snapshot: &Snapshot) -> Vec<Finding> {
    const SERIES: &str = "larder_upstream_invalid_replies_total";
    let finding = |provider: &str| {
        let count = snapshot.series.count(SERIES, &[("upstream", provider)]);
        let provider = printable(provider);
        let text = format!("{provider} sends unusable responses: {count} failed validation.");
        let advice = format!(
            "They reach the application and are not stored. The log has the reason (\"failed \
             validation\"): a page of a proxy, or another server at providers.{provider}.base_url."
        );
        Finding::wrong("invalid", text, advice)
    };
    snapshot.series.labels(SERIES, "upstream").into_iter().map(finding).collect()
}

/// Clients that larder itself refuses for their key.
pub(super) fn refused(snapshot: &Snapshot) -> Vec<Finding> {
    let refused = |request: &&Request| request.error.as_deref() == Some("unauthorized");
    let count = snapshot.requests.iter().filter(refused).count();
    if count * FEW < snapshot.requests.len().max(1) {
        return Vec::new();
    }
    let text = format!("larder refuses clients: {count} × 401 unauthorized recently.");
    let advice =
        "access.auth = \"allowlist\": a client sends one of access.keys or access.keys_file, \
        where the provider's key would be."
            .to_owned();
    vec![Finding::wrong("refused", text, advice)]
}

#[cfg(test)]
mod tests {
    use super::super::rules::tests::{healthy, wrong};
    use super::super::snapshot::Provider;
    use super::*;

    fn request(status: u16, cache: &str, error: Option<&str>) -> Request {
        let (provider, cache) = ("openai".to_owned(), cache.to_owned());
        Request { provider, status, cache, error: error.map(str::to_owned) }
    }

    #[test]
    fn errors_of_a_provider_and_refused_clients_are_problems() {
        let mut snapshot = healthy();
        snapshot.requests = vec![request(500, "miss", None), request(200, "miss", None)];
        assert_eq!(wrong(&snapshot), ["errors"]);
        snapshot.requests = vec![request(401, "bypass", Some("unauthorized"))];
        assert_eq!(wrong(&snapshot), ["refused"]);
        snapshot.requests = vec![request(200, "miss", None)];
        assert!(wrong(&snapshot).is_empty());
    }

    #[test]
    fn a_rejected_key_is_a_problem_until_a_call_succeeds() {
        let mut snapshot = healthy();
        snapshot.requests = vec![request(200, "hit", None), request(401, "miss", None)];
        assert_eq!(wrong(&snapshot), ["key"]);
        assert_eq!(rejected(&snapshot)[0].text, "openai rejects the API key: 1 × 401 recently.");
        let good = (0..20).map(|_| request(200, "miss", None));
        snapshot.requests = good.chain([request(401, "miss", None)]).collect();
        assert_eq!(wrong(&snapshot), [""; 0]);
        // larder's own refusal is not the provider's.
        snapshot.requests = vec![request(401, "bypass", Some("unauthorized"))];
        assert!(!wrong(&snapshot).contains(&"key"));
    }

    #[test]
    fn a_failing_provider_is_named_with_the_reason() {
        let mut snapshot = healthy();
        snapshot.requests = vec![request(502, "bypass", Some("upstream_unreachable"))];
        snapshot.stats.failed = vec![Failed {
            provider: "openai".to_owned(),
            status: 502,
            code: Some("upstream_unreachable".to_owned()),
            count: 1,
            reason: Some("openai could not be reached: Connection refused".to_owned()),
        }];
        let breaker = "open".to_owned();
        snapshot.stats.providers = vec![Provider { name: "openai".to_owned(), breaker }];
        assert_eq!(wrong(&snapshot), ["reachable", "breaker"]);
        assert!(unreachable(&snapshot)[0].text.contains("Connection refused"));
    }

    #[test]
    fn responses_that_failed_validation_are_a_problem() {
        let mut snapshot = healthy();
        let series = "larder_upstream_invalid_replies_total{upstream=\"openai\"} 3\n\
            larder_upstream_invalid_replies_total{upstream=\"other\"} 0\n";
        snapshot.series = super::super::series::Series::read(series);
        assert_eq!(wrong(&snapshot), ["invalid"]);
        assert!(invalid(&snapshot)[0].text.contains("openai sends unusable responses: 3"));
    }

    #[test]
    fn a_rate_limit_is_a_problem() {
        let mut snapshot = healthy();
        snapshot.requests = vec![request(429, "miss", None)];
        assert_eq!(wrong(&snapshot), ["rate"]);
    }
}
