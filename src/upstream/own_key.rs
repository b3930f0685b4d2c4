//! The key that larder calls a provider with in place of its clients' credentials, and that no client
//! ever sees: it is struck out of whatever the provider says.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::units::Secret;
use crate::credential;
use crate::dialect::Dialect;

/// What stands where the key was.
const STRUCK: u8 = b'*';

/// A provider's key.
#[derive(Debug, Clone)]
pub(super) struct OwnKey(Secret);

impl OwnKey {
    pub(super) fn new(key: Secret) -> Self {
        Self(key)
    }

    /// Puts the key where the dialect wants it, and takes every other credential away. The answer is
    /// asked for in no coding, in which the key could not be found.
    pub(super) fn put(&self, dialect: &dyn Dialect, path: &str, headers: &mut HeaderMap) {
        let (name, scheme) = dialect.credential(path, headers);
        let others: Vec<HeaderName> =
            headers.keys().filter(|name| credential::is_header(name)).cloned().collect();
        for other in others {
            headers.remove(other);
        }
        let value = HeaderValue::try_from(format!("{scheme}{}", self.0.expose()));
        let mut value = value.expect("the configuration takes no key that is not a header's value");
        value.set_sensitive(true);
        headers.insert(name, value);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }

    /// Strikes the key out of headers.
    pub(super) fn strike_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let mut bytes = value.as_bytes().to_vec();
            if self.strike(&mut bytes) {
                // What was a header's value still is one.
                if let Ok(struck) = HeaderValue::from_bytes(&bytes) {
                    *value = struck;
                }
            }
        }
    }

    /// Strikes the key out of a whole body.
    pub(super) fn strike_whole(&self, body: Bytes) -> Bytes {
        if credential::find(&body, self.bytes()).is_none() {
            return body;
        }
        let mut body = body.to_vec();
        self.strike(&mut body);
        body.into()
    }

    /// Whether the key was there. Lengths stay as they were said to be.
    fn strike(&self, bytes: &mut [u8]) -> bool {
        let (mut from, mut found) = (0, false);
        while let Some(at) = bytes.get(from..).and_then(|rest| credential::find(rest, self.bytes()))
        {
            let end = from + at + self.bytes().len();
            if let Some(key) = bytes.get_mut(from + at..end) {
                key.fill(STRUCK);
            }
            (from, found) = (end, true);
        }
        found
    }

    fn bytes(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

/// Strikes a key out of a body that comes in pieces. What may be the beginning of the key waits for the
/// next piece: less than the key is long.
#[derive(Debug)]
pub(super) struct Striker {
    key: OwnKey,
    held: BytesMut,
}

impl Striker {
    pub(super) fn new(key: OwnKey) -> Self {
        Self { key, held: BytesMut::new() }
    }

    /// Takes a piece, and gives what is known to be fit to go on.
    pub(super) fn piece(&mut self, piece: &Bytes) -> Bytes {
        self.held.extend_from_slice(piece);
        self.key.strike(&mut self.held);
        let key = self.key.bytes();
        let longest = self.held.len().min(key.len().saturating_sub(1));
        let begins = |length: &usize| self.held.ends_with(key.get(..*length).unwrap_or_default());
        let waits = (1..=longest).rev().find(begins).unwrap_or(0);
        self.held.split_to(self.held.len() - waits).freeze()
    }

    /// What waited, when there is no next piece.
    pub(super) fn rest(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.held.len()
    }

    pub(super) fn key(&self) -> &OwnKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::units::Setting;

    fn key() -> OwnKey {
        OwnKey::new(Secret::parse("sk-sk-key").unwrap())
    }

    #[test]
    fn the_key_is_struck_out_however_a_body_is_cut() {
        let text = b"sk-sk-key no sk-sk-sk-key, sk-sk-ke sk-sk-keysk-sk-key sk-";
        let right = b"********* no sk-*********, sk-sk-ke ****************** sk-";
        assert_eq!(key().strike_whole(Bytes::from_static(text)), Bytes::from_static(right));
        for size in 1..text.len() {
            let mut striker = Striker::new(key());
            let mut out = BytesMut::new();
            for piece in text.chunks(size) {
                out.extend(striker.piece(&Bytes::from_static(piece)));
                assert!(striker.waiting() < 9);
            }
            out.extend(striker.rest());
            assert_eq!(out, right.as_slice(), "in pieces of {size}");
        }
    }

    #[test]
    fn a_key_in_a_header_is_struck_out() {
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("Bearer sk-sk-key"));
        headers.insert("x-other", HeaderValue::from_static("sk-other"));
        key().strike_headers(&mut headers);
        assert_eq!(headers["x-echo"], "Bearer *********");
        assert_eq!(headers["x-other"], "sk-other");
    }
}
