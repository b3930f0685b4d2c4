//! What a request for embeddings is, as far as its answer may depend on it.

use super::Ask;
use crate::key::{CacheKey, Digest, Framer, Place};
use crate::request::{EmbedRequest, Input, Unity};

/// What a request says, byte for byte: the same again is the same question. The query, which may hold
/// a credential, is in the envelope.
pub(super) fn exact(ask: &Ask, envelope: &Digest) -> Vec<u8> {
    let mut exact = beginning(ask, envelope, ask.body.len());
    exact.extend(&ask.body);
    exact
}

/// The same without the body, with room for one.
pub(super) fn beginning(ask: &Ask, envelope: &Digest, body: usize) -> Vec<u8> {
    let path = ask.target.path_and_query.split('?').next().unwrap_or_default().as_bytes();
    let upstream = ask.target.upstream.identity.as_bytes();
    let mut beginning = Vec::with_capacity(upstream.len() + path.len() + body + 48);
    beginning.extend(envelope.as_bytes());
    for framed in [upstream, path] {
        beginning.extend((framed.len() as u64).to_le_bytes());
        beginning.extend(framed);
    }
    beginning
}

/// What vectors must share to be printed alike and to be of the same dimensions. That is the model's,
/// whoever asks.
pub(super) fn subject(ask: &Ask, request: &EmbedRequest<'_>) -> Digest {
    Framer::new("larder subject")
        .field(b'u', ask.target.upstream.identity.as_bytes())
        .field(b'c', request.scope.as_bytes())
        .field(b'm', request.model.as_bytes())
        .field(b'p', request.params.as_bytes())
        .finish()
}

/// What all inputs of a request have in common that may change a vector.
pub(super) fn family(ask: &Ask, request: &EmbedRequest<'_>, envelope: &Digest) -> Digest {
    let mut family = Framer::new("larder embedding 1");
    family.field(b'e', envelope.as_bytes()).field(b'u', ask.target.upstream.identity.as_bytes());
    asked(&mut family, request);
    family.finish()
}

/// What a request itself says of that.
pub(super) fn asked(family: &mut Framer, request: &EmbedRequest<'_>) {
    family
        .field(b'c', request.scope.as_bytes())
        .field(b'm', request.model.as_bytes())
        .field(b'p', request.params.as_bytes());
    if request.unity == Unity::Whole {
        family.field(b's', &[u8::from(request.scalar)]);
        for input in &request.inputs {
            match input {
                Input::Text(text) => family.field(b'T', text.as_bytes()),
                Input::Json(json) => family.field(b'J', json.as_bytes()),
                Input::Tokens(tokens) => {
                    let bytes: Vec<u8> =
                        tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
                    family.field(b'I', &bytes)
                }
            };
        }
    }
}

/// What each input of a request is kept under.
pub(super) fn keys(family: &Digest, request: &EmbedRequest<'_>) -> Vec<CacheKey> {
    let keys = (0..).zip(&request.inputs).map(|(at, input)| {
        let place = match request.unity {
            Unity::Whole => Place::Position(at),
            Unity::Alone if request.scalar => Place::BlankScalar,
            Unity::Alone | Unity::Free => Place::Anywhere,
        };
        CacheKey::of(family, input, place)
    });
    keys.collect()
}
