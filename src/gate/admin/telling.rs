//! The lines of the log about failed requests: the first of a kind at once, then at most one in a minute.

use super::recent::Mishap;
use crate::error::Kind;

impl Mishap {
    /// The failure in words: `401 from openai: Incorrect API key provided`.
    fn sentence(&self) -> String {
        let Self { provider, status, code, reason, .. } = self;
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        match code {
            Some(code) => format!("request failed: {status} {code}{reason}"),
            None => format!("request failed: {status} from {provider}{reason}"),
        }
    }

    /// Logs it. An error that is the client's own is no warning to an operator.
    pub(super) fn tell(&self, suppressed: u64) {
        let (sentence, provider, status) = (self.sentence(), self.provider.as_str(), self.status);
        let model = Some(self.model.as_str()).filter(|model| !model.is_empty());
        let suppressed = (suppressed > 0).then_some(suppressed);
        if self.code == Some(Kind::NotCached.code()) {
            tracing::debug!(provider, model, status, suppressed, "{sentence}");
        } else if self.is_clients() {
            tracing::info!(provider, model, status, suppressed, "{sentence}");
        } else {
            tracing::warn!(provider, model, status, suppressed, "{sentence}");
        }
    }

    /// Whether it is about one request, and not about a key, a limit or a provider.
    fn is_clients(&self) -> bool {
        matches!(self.status, 400 | 405..=428 | 430..=499)
            && self.code != Some(Kind::NotRecorded.code())
    }
}
