//! Failed requests in one sentence, from the list `failed` of `/api/stats`.

use serde::Deserialize;

use super::columns::{counted, printable};

/// Kinds that are named; the others are counted.
const NAMED: usize = 3;

/// The failed requests of one kind.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Failed {
    pub(super) provider: String,
    pub(super) status: u16,
    /// The code of an error that larder made; none for a provider's own response.
    pub(super) code: Option<String>,
    pub(super) count: u64,
    /// The message of the last one, where larder made it.
    pub(super) reason: Option<String>,
}

/// The number of failed requests and their kinds; none if nothing failed.
pub(super) fn sentence(failed: &[Failed]) -> Option<String> {
    let all: u64 = failed.iter().map(|kind| kind.count).sum();
    if all == 0 {
        return None;
    }
    let mut kinds: Vec<String> = failed.iter().take(NAMED).map(Failed::text).collect();
    let others: u64 = failed.iter().skip(NAMED).map(|kind| kind.count).sum();
    if others > 0 {
        kinds.push(format!("{others} of other kinds"));
    }
    Some(format!("{} failed: {}", counted(all, "request"), kinds.join(", ")))
}

impl Failed {
    fn text(&self) -> String {
        let Self { provider, status, code, count, reason } = self;
        let head = format!("{count} × {status}");
        match (code, reason) {
            (Some(code), Some(reason)) => format!("{head} {code} ({})", printable(reason)),
            (Some(code), None) => format!("{head} {code}"),
            (None, _) => {
                let meaning = meaning(*status).map(|text| format!(" ({text})"));
                format!("{head} from {}{}", printable(provider), meaning.unwrap_or_default())
            }
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
    fn failures_are_named_by_status_and_provider() {
        assert_eq!(sentence(&[]), None);
        assert_eq!(
            sentence(&[failed("openai", 401, None, 3)]).unwrap(),
            "3 requests failed: 3 × 401 from openai (invalid API key)"
        );
        let refused = ("upstream_unreachable", "openai could not be reached: Connection refused");
        assert_eq!(
            sentence(&[failed("openai", 502, Some(refused), 1)]).unwrap(),
            "1 request failed: 1 × 502 upstream_unreachable (openai could not be reached: \
             Connection refused)"
        );
    }

    #[test]
    fn rare_kinds_are_only_counted() {
        let many: Vec<Failed> = (0..5).map(|n| failed("p", 418 + n, None, 2)).collect();
        let text = sentence(&many).unwrap();
        assert!(text.starts_with("10 requests failed: 2 × 418 from p, "), "{text}");
        assert!(text.ends_with(", 4 of other kinds"), "{text}");
    }
}
