//! Identity: which cached answer is whose.
//!
//! A key is a BLAKE3 digest over tagged, length-framed fields, so that no two different questions
//! share one, whoever tries. Hash maps over keys use XXH3, for speed only.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use base64_simd::URL_SAFE_NO_PAD;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::request::Input;

/// A 256-bit digest of framed fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of bytes that have one meaning only.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether it is the same, told in the same time wherever they differ: `blake3`'s own comparison.
    pub fn matches(&self, other: &Self) -> bool {
        blake3::Hash::from_bytes(self.0) == blake3::Hash::from_bytes(other.0)
    }
}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first bytes tell digests apart in a log; all of them would only fill it.
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Builds a digest from fields, each with a tag and its length, so that none can be read as part
/// of its neighbour.
///
/// The fields are gathered and hashed at once: they are short, and the state of a hasher that takes
/// them one by one is two kilobytes.
#[derive(Clone)]
pub struct Framer {
    secret: Option<[u8; 32]>,
    fields: Vec<u8>,
}

impl Framer {
    /// A digest for one purpose; digests of different purposes are never equal.
    pub fn new(purpose: &str) -> Self {
        Self::begin(None, purpose)
    }

    /// A digest that nobody can compute without the secret.
    pub fn keyed(secret: &[u8; 32], purpose: &str) -> Self {
        Self::begin(Some(*secret), purpose)
    }

    fn begin(secret: Option<[u8; 32]>, purpose: &str) -> Self {
        let mut framer = Self { secret, fields: Vec::with_capacity(512) };
        framer.field(b'P', purpose.as_bytes());
        framer
    }

    /// Adds a field.
    pub fn field(&mut self, tag: u8, bytes: &[u8]) -> &mut Self {
        self.fields.push(tag);
        self.fields.extend((bytes.len() as u64).to_le_bytes());
        self.fields.extend(bytes);
        self
    }

    /// The digest of all fields so far.
    pub fn finish(&self) -> Digest {
        let hash = match &self.secret {
            Some(secret) => blake3::keyed_hash(secret, &self.fields),
            None => blake3::hash(&self.fields),
        };
        Digest(*hash.as_bytes())
    }
}

impl fmt::Debug for Framer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The fields may be credentials.
        f.debug_struct("Framer").field("length", &self.fields.len()).finish_non_exhaustive()
    }
}

/// The identity of one cached answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CacheKey(Digest);

/// How an input stands in its request, where that changes what a provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Anywhere: a scalar and a list of one are the same question.
    Anywhere,
    /// A blank text by itself, which `OpenAI` takes, while it refuses the same text in a list.
    BlankScalar,
    /// A position in a request that is cached as a whole.
    Position(u32),
}

impl CacheKey {
    /// The digest that it is.
    pub fn digest(&self) -> Digest {
        self.0
    }

    /// The key of an answer to a question that is cached as a whole.
    pub fn whole(question: Digest) -> Self {
        Self(question)
    }

    /// The key whose bytes a tier gives back.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Digest(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Its bytes as people and other stores are shown them: base64url.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode_to_string(self.as_bytes())
    }

    /// The key of a text as above.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).ok()?;
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }

    /// The same question in one caller's own calls, which nobody else's are put together with.
    #[must_use]
    pub fn called(&self, caller: &Digest) -> Self {
        Self(Digest(*blake3::keyed_hash(caller.as_bytes(), self.as_bytes()).as_bytes()))
    }

    /// The key of one input among all questions that differ in nothing else (`family`).
    pub fn of(family: &Digest, input: &Input<'_>, place: Place) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(family.as_bytes());
        // One tag of fixed length, then the one field of variable length: nothing to frame.
        match place {
            Place::Anywhere => hasher.update(&[0, 0, 0, 0, 0]),
            Place::BlankScalar => hasher.update(&[1, 0, 0, 0, 0]),
            Place::Position(at) => hasher.update(&[2]).update(&at.to_le_bytes()),
        };
        match input {
            Input::Text(text) => hasher.update(b"T").update(text.as_bytes()),
            Input::Json(json) => hasher.update(b"J").update(json.as_bytes()),
            Input::Tokens(tokens) => {
                hasher.update(b"I");
                for token in tokens.iter() {
                    hasher.update(&token.to_le_bytes());
                }
                &mut hasher
            }
        };
        Self(Digest(*hasher.finalize().as_bytes()))
    }
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A digest is uniform already, but a seeded hasher still keeps its shards from being chosen
        // by whoever chooses the texts.
        self.0.hash(state);
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The hasher of every map over keys: XXH3 under a seed that each process draws for itself.
#[derive(Debug, Clone)]
pub struct KeyHasher {
    seed: u64,
}

impl KeyHasher {
    /// A hasher under the process's secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self { seed: secret.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte)) }
    }
}

impl Default for KeyHasher {
    /// Under a seed of its own.
    fn default() -> Self {
        Self { seed: RandomState::new().hash_one(0) }
    }
}

impl BuildHasher for KeyHasher {
    type Hasher = OneShot;

    fn build_hasher(&self) -> OneShot {
        OneShot(self.seed)
    }
}

/// XXH3 over what is written at once. Its streaming state is half a kilobyte; a key is 32 bytes.
#[derive(Debug)]
pub struct OneShot(u64);

impl Hasher for OneShot {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn text(text: &str) -> Input<'_> {
        Input::Text(Cow::Borrowed(text))
    }

    #[test]
    fn neighbouring_fields_do_not_run_together() {
        let digest = |a: &str, b: &str| {
            Framer::new("test").field(b'a', a.as_bytes()).field(b'b', b.as_bytes()).finish()
        };
        assert_ne!(digest("ab", "c"), digest("a", "bc"));
        assert_ne!(digest("", "abc"), digest("abc", ""));
    }

    #[test]
    fn a_digest_depends_on_purpose_and_secret() {
        let plain = Framer::new("one").finish();
        assert_ne!(plain, Framer::new("two").finish());
        assert_ne!(plain, Framer::keyed(&[0; 32], "one").finish());
        assert_ne!(
            Framer::keyed(&[0; 32], "one").finish(),
            Framer::keyed(&[1; 32], "one").finish()
        );
    }

    #[test]
    fn text_tokens_and_places_are_different_inputs() {
        let family = Digest::of(b"family");
        let key = |input: &Input<'_>, place| CacheKey::of(&family, input, place);
        let h = text("h");
        let keys = [
            key(&h, Place::Anywhere),
            key(&h, Place::BlankScalar),
            key(&h, Place::Position(0)),
            key(&h, Place::Position(1)),
            key(&Input::Tokens(Cow::Borrowed(&[104])), Place::Anywhere),
            key(&Input::Json(Cow::Borrowed("h")), Place::Anywhere),
            key(&text("h "), Place::Anywhere),
            key(&text("H"), Place::Anywhere),
            key(&text("e\u{301}"), Place::Anywhere),
            key(&text("\u{e9}"), Place::Anywhere),
            CacheKey::of(&Digest::of(b"other"), &h, Place::Anywhere),
        ];
        for (i, a) in keys.iter().enumerate() {
            for b in keys.iter().skip(i + 1) {
                assert_ne!(a, b);
            }
        }
    }

    #[test]
    fn keys_stay_the_same_from_version_to_version() {
        let family = Framer::new("golden").field(b'm', b"text-embedding-3-small").finish();
        let key = CacheKey::of(&family, &text("hello"), Place::Anywhere);
        assert_eq!(format!("{family:?} {key:?}"), "e609ead2bddb89d8 045c2ddf9288c8d8");
    }
}
