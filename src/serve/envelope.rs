//! What a request says beside its body: to whom its answer may be given, and with whose calls its own
//! may be put together. Two digests, since who shares what is stored never shares a call.

use std::borrow::Cow;

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Ask, Service};
use crate::config::sharers::Sharers;
use crate::credential;
use crate::error::{Error, Kind};
use crate::headers::{are_of_network, is_harmless, is_suffixed_json};
use crate::key::{Digest, Framer};

impl Service {
    /// Removes the header that names the scope (`cache.scope = "header:NAME"`), so that no provider sees it,
    /// and returns its values. Blank values count as a missing header: proxies send them for callers that
    /// they do not know.
    pub fn group(&self, headers: &mut HeaderMap) -> Vec<HeaderValue> {
        let Sharers::Header(name) = &self.sharers else { return Vec::new() };
        let values = match headers.entry(name) {
            Entry::Occupied(values) => values.remove_entry_mult().1.collect(),
            Entry::Vacant(_) => Vec::new(),
        };
        if values.iter().all(is_blank) { Vec::new() } else { values }
    }

    /// The error for a request without the header of the scope, if every request must have it.
    pub fn refuses_scope(&self, headers: &HeaderMap) -> Option<Error> {
        let Sharers::Header(name) = &self.sharers else { return None };
        if !self.scope_required || !headers.get_all(name).iter().all(is_blank) {
            return None;
        }
        let message = format!(
            "missing header {name}: it names the scope of cached responses (cache.scope_required)"
        );
        Some(Error::new(Kind::BadRequest, message))
    }

    /// Whether a request lacks the header of the scope. Its scope is then its credential's own: callers
    /// without the header have nothing in common.
    fn lacks_group(&self, ask: &Ask) -> bool {
        matches!(self.sharers, Sharers::Header(_)) && ask.group.is_empty()
    }

    /// The reason for which a request shares nothing: it has neither the header of the scope nor a
    /// credential.
    pub(super) fn unscoped(&self, ask: &Ask) -> Option<&'static str> {
        let is_anonymous = self.lacks_group(ask)
            && credential::shown(&ask.headers, &ask.target.path_and_query).all(<[u8]>::is_empty);
        is_anonymous.then_some("no-scope")
    }

    /// Whether cached responses serve only the credential of the request.
    pub(super) fn is_by_credential(&self, ask: &Ask) -> bool {
        self.sharers == Sharers::Credential || self.lacks_group(ask)
    }

    /// The part of a cache key beside the body: the scope, every header that is not known to be harmless,
    /// and the query. Keyed, so that no credential can be told from it.
    pub(super) fn envelope(&self, ask: &Ask) -> Digest {
        let (by_credential, lacks_group) = (self.is_by_credential(ask), self.lacks_group(ask));
        let counts = |name: &HeaderName, value: &HeaderValue| {
            if credential::is_header(name) {
                return lacks_group || by_credential && self.tells(name, value);
            }
            self.tells(name, value)
        };
        let mut envelope = self.sealed(ask, &self.place(ask), counts);
        for value in &ask.group {
            envelope.field(b'g', value.as_bytes());
        }
        envelope.finish()
    }

    /// What a call depends on beside the body: as above, with the credential, whoever shares what it
    /// brings. Calls and answers on their way are one caller's.
    pub(super) fn caller(&self, ask: &Ask, envelope: &Digest) -> Digest {
        let path = &ask.target.path_and_query;
        if ask.target.upstream.has_own_key() {
            // The provider sees larder's, whoever asks.
            let counts = |name: &HeaderName, value: &HeaderValue| {
                !credential::is_header(name) && self.tells(name, value)
            };
            return self.sealed(ask, &credential::without(path), counts).finish();
        }
        if self.is_by_credential(ask) && !self.harmless.iter().any(credential::is_header) {
            // It is all in there.
            return *envelope;
        }
        let counts = |name: &HeaderName, value: &HeaderValue| {
            credential::is_header(name) || self.tells(name, value)
        };
        self.sealed(ask, path, counts).finish()
    }

    /// The path and query of a cache key: with credentials in the query only if the scope is a credential.
    pub(super) fn place<'a>(&self, ask: &'a Ask) -> Cow<'a, str> {
        if self.is_by_credential(ask) {
            return Cow::Borrowed(&ask.target.path_and_query);
        }
        credential::without(&ask.target.path_and_query)
    }

    fn sealed(
        &self,
        ask: &Ask,
        place: &str,
        counts: impl Fn(&HeaderName, &HeaderValue) -> bool,
    ) -> Framer {
        let mut telling: Vec<(&HeaderName, &HeaderValue)> =
            ask.headers.iter().filter(|(name, value)| counts(name, value)).collect();
        telling.sort_unstable_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        let mut sealed = Framer::keyed(&self.secret, "larder envelope");
        if let Some((_, query)) = place.split_once('?') {
            sealed.field(b'q', query.as_bytes());
        }
        if !ask.headers.contains_key(header::CONTENT_TYPE) {
            // What a provider makes of a body that does not say what it is, is its own affair.
            sealed.field(b't', b"");
        }
        for name in [header::ACCEPT, header::CONTENT_TYPE] {
            // The types of a store's own versions, such as `application/vnd.elasticsearch+json`.
            let values = ask.headers.get_all(&name).iter();
            for value in values.filter(|value| is_suffixed_json(Some(value))) {
                sealed.field(b'm', name.as_str().as_bytes()).field(b'v', value.as_bytes());
            }
        }
        for (name, value) in telling {
            sealed.field(b'n', name.as_str().as_bytes()).field(b'v', value.as_bytes());
        }
        sealed
    }

    pub(super) fn tells(&self, name: &HeaderName, value: &HeaderValue) -> bool {
        let is_of_network = || name == header::COOKIE && are_of_network(value);
        !is_harmless(name) && !self.harmless.contains(name) && !is_of_network()
    }
}

fn is_blank(value: &HeaderValue) -> bool {
    value.as_bytes().trim_ascii().is_empty()
}
