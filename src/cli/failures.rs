//! Failed requests in one sentence, from the list `failed` of `/api/stats`.

use serde::Deserialize;

use super::columns::{counted, printable};

/// Kinds that are named; the others are counted.
const NAMED: usize = 3;

/// The failed requests of one kind.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Failed {
    pub(super) provider: String,
    pub(super) status: u16,
    /// The code of an error that larder made; none for a provider's own response.
    pub(super) code: Option<String>,
    pub(super) count: u64,
    /// The message of the last one, of the provider or of larder.
    pub(super) reason: Option<String>,
}

/// The number of failed requests of `responses`, and their kinds; none if nothing failed.
pub(super) fn sentence(failed: &[Failed], responses: u64) -> Option<String> {
    let all: u64 = failed.iter().map(|kind| kind.count).sum();
    if all == 0 {
        return None;
    }
    let head = if all < responses {
        format!("{} failed", counted(all, "request"))
    } else {
        format!("{}, {}failed", counted(all, "request"), if all == 1 { "" } else { "all " })
    };
    if let [only] = failed {
        return Some(format!("{head}: {}", only.text()));
    }
    let of_kind = |kind: &Failed| format!("{} × {}", kind.count, kind.text());
    let mut kinds: Vec<String> = failed.iter().take(NAMED).map(of_kind).collect();
    let others: u64 = failed.iter().skip(NAMED).map(|kind| kind.count).sum();
    if others > 0 {
        kinds.push(format!("{others} of other kinds"));
    }
    Some(format!("{head}: {}", kinds.join("; ")))
}

impl Failed {
    /// The status and its origin, with the reason.
    fn text(&self) -> String {
        let Self { provider, status, code, reason, .. } = self;
        let head = match code {
            Some(code) => format!("{status} {}", printable(code)),
            None => format!("{status} from {}", printable(provider)),
        };
        let meaning = || if code.is_none() { meaning(*status).map(str::to_owned) } else { None };
        match reason.as_deref().map(printable).or_else(meaning) {
            Some(reason) => format!("{head}: {reason}"),
            None => head,
        }
    }
}

/// The usual meaning of a provider's status.
pub(super) fn meaning(status: u16) -> Option<&'static str> {
    Some(match status {
        400 => "bad request",
        401 => "invalid API key",
        402 => "payment required",
        403 => "the key has no permission",
        404 => "unknown path or model",
        408 | 504 => "timeout",
        413 => "request too large",
        422 => "invalid input",
        429 => "rate limited",
        500.. => "provider error",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(provider: &str, status: u16, larder: Option<(&str, &str)>, count: u64) -> Failed {
        let (code, reason) =
            larder.map(|(code, reason)| (code.to_owned(), reason.to_owned())).unzip();
        Failed { provider: provider.to_owned(), status, code, count, reason }
    }

    #[test]
    fn failures_are_named_by_status_provider_and_reason() {
        assert_eq!(sentence(&[], 3), None);
        let mut rejected = failed("openai", 401, None, 3);
        let text = sentence(std::slice::from_ref(&rejected), 3).unwrap();
        assert_eq!(text, "3 requests, all failed: 401 from openai: invalid API key");
        rejected.reason = Some("Incorrect API key\u{1b} provided".to_owned());
        let refused = ("upstream_unreachable", "cannot reach openai: connection refused");
        let refused = failed("openai", 502, Some(refused), 1);
        assert_eq!(
            sentence(std::slice::from_ref(&refused), 1).unwrap(),
            "1 request, failed: 502 upstream_unreachable: cannot reach openai: connection refused"
        );
        assert_eq!(
            sentence(&[rejected, refused], 9).unwrap(),
            "4 requests failed: 3 × 401 from openai: Incorrect API key\u{fffd} provided; 1 × 502 \
             upstream_unreachable: cannot reach openai: connection refused"
        );
    }

    #[test]
    fn rare_kinds_are_only_counted() {
        let many: Vec<Failed> = (0..5).map(|n| failed("p", 418 + n, None, 2)).collect();
        let text = sentence(&many, 20).unwrap();
        assert!(text.starts_with("10 requests failed: 2 × 418 from p; "), "{text}");
        assert!(text.ends_with("; 4 of other kinds"), "{text}");
    }
}
