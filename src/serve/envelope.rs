//! What a request says beside its body: to whom its answer may be given, and with whose calls its own
//! may be put together. Two digests, since who shares what is stored never shares a call.

use std::borrow::Cow;

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Ask, Service};
use crate::config::sharers::Sharers;
use crate::credential;
use crate::headers::is_harmless;
use crate::key::{Digest, Framer};

impl Service {
    /// Takes from a request's head what says who shares its answer, so that no provider sees it.
    pub fn group(&self, headers: &mut HeaderMap) -> Vec<HeaderValue> {
        let Sharers::Header(name) = &self.sharers else { return Vec::new() };
        match headers.entry(name) {
            Entry::Occupied(values) => values.remove_entry_mult().1.collect(),
            Entry::Vacant(_) => Vec::new(),
        }
    }

    /// What a stored answer depends on beside the body: who shares it, every header that is not known
    /// to be harmless, and the query. Keyed, so that nobody can tell a credential from it.
    pub(super) fn envelope(&self, ask: &Ask) -> Digest {
        let by_credential = self.sharers == Sharers::Credential;
        let counts = |name: &HeaderName, value: &HeaderValue| {
            (by_credential || !credential::is_header(name)) && self.tells(name, value)
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
        if self.sharers == Sharers::Credential && !self.harmless.iter().any(credential::is_header) {
            // It is all in there.
            return *envelope;
        }
        let counts = |name: &HeaderName, value: &HeaderValue| {
            credential::is_header(name) || self.tells(name, value)
        };
        self.sealed(ask, path, counts).finish()
    }

    /// Where a stored answer was asked for.
    pub(super) fn place<'a>(&self, ask: &'a Ask) -> Cow<'a, str> {
        match self.sharers {
            Sharers::Credential => Cow::Borrowed(&ask.target.path_and_query),
            _ => credential::without(&ask.target.path_and_query),
        }
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
        for (name, value) in telling {
            sealed.field(b'n', name.as_str().as_bytes()).field(b'v', value.as_bytes());
        }
        sealed
    }

    pub(super) fn tells(&self, name: &HeaderName, value: &HeaderValue) -> bool {
        let empty_cookie = value.is_empty() && name == header::COOKIE;
        !is_harmless(name) && !self.harmless.contains(name) && !empty_cookie
    }
}
