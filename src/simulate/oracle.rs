//! What the right answer is: pure functions of the question, for the provider that answers and for
//! the tests that check.
//!
//! Nothing here may ever change its value: recorded answers and other processes rely on it. Knows
//! no JSON beyond its white space.

use xxhash_rust::xxh3::Xxh3;

/// The step of a Weyl sequence: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a vector is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// A text.
    Text(&'a str),
    /// A list of token ids; never the same input as a text.
    Tokens(&'a [u64]),
}

/// The vector of an input: `dimensions` finite numbers strictly between -1 and 1.
pub fn vector(model: &str, dimensions: usize, input: Input<'_>) -> Vec<f32> {
    vector_of(digest(model, dimensions, input), dimensions)
}

/// What identifies a vector, and is all that it is made from.
pub fn digest(model: &str, dimensions: usize, input: Input<'_>) -> u128 {
    let mut hasher = Xxh3::new();
    frame(&mut hasher, model.as_bytes());
    hasher.update(&(dimensions as u64).to_le_bytes());
    match input {
        Input::Text(text) => {
            hasher.update(b"s");
            frame(&mut hasher, text.as_bytes());
        }
        Input::Tokens(tokens) => {
            hasher.update(b"t");
            hasher.update(&(tokens.len() as u64).to_le_bytes());
            for token in tokens {
                hasher.update(&token.to_le_bytes());
            }
        }
    }
    hasher.digest128()
}

/// The vector of a [`digest`].
pub fn vector_of(digest: u128, dimensions: usize) -> Vec<f32> {
    let mut state = u64::try_from(digest & u128::from(u64::MAX)).expect("it was masked to 64 bits");
    // Odd, hence coprime to 2^64: the sequence does not repeat. Both halves of the digest count.
    let step = (digest >> 64) as u64 | 1;
    let mut vector = vec![0.0; dimensions];
    for pair in vector.chunks_mut(2) {
        state = state.wrapping_add(step);
        let bits = mix(state);
        let numbers = [(bits >> 40) as u32, ((bits >> 16) & 0xff_ffff) as u32];
        for (number, bits) in pair.iter_mut().zip(numbers) {
            *number = component(bits);
        }
    }
    vector
}

/// The model as it is under parameters that alter its vectors, each a name and its JSON text.
pub fn altered(model: &str, params: &[(&str, String)]) -> String {
    params.iter().fold(model.to_owned(), |model, (name, value)| model + ";" + name + "=" + value)
}

/// How many tokens an input counts for: the ids that were given, or a quarter of the bytes of a
/// text, rounded up and at least one.
pub fn tokens(input: Input<'_>) -> u64 {
    match input {
        Input::Text(text) => text_tokens(text.len()),
        Input::Tokens(tokens) => tokens.len() as u64,
    }
}

/// How many tokens a text of so many bytes counts for.
pub fn text_tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4).max(1) as u64
}

/// The seed of a chat reply's text. `messages` is the JSON of the request's `messages`; white space
/// between its values makes no difference.
pub fn chat_seed(model: &str, messages: &str) -> u64 {
    let mut hasher = Xxh3::new();
    frame(&mut hasher, model.as_bytes());
    frame(&mut hasher, &compact(messages));
    hasher.digest()
}

/// A chat reply's text in so many pieces, which joined make the whole. The first is the seed
/// itself, so that no two conversations are answered alike.
pub fn words(seed: u64, chunks: usize) -> Vec<String> {
    let mut state = seed;
    let mut words = Vec::new();
    for number in 0..chunks {
        if number == 0 {
            words.push(format!("{seed:016x}"));
            continue;
        }
        state = state.wrapping_add(STEP);
        let index = (mix(state) >> 60) as usize;
        words.push(format!(" {}", WORDS.get(index).expect("four bits choose among sixteen words")));
    }
    words
}

/// JSON text without the white space between its values.
pub fn compact(json: &str) -> Vec<u8> {
    let (mut quoted, mut escaped) = (false, false);
    let keep = |byte: &u8| {
        if quoted {
            quoted = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            return true;
        }
        quoted = *byte == b'"';
        !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
    };
    json.bytes().filter(keep).collect()
}

/// Spreads the bits of a number over the whole word (the finaliser of `SplitMix64`, a bijection).
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The odd multiple of 2^-24 that 24 bits choose: exact in 32-bit floats, never 0, 1 or -1.
fn component(bits: u32) -> f32 {
    let odd = (2 * bits + 1).cast_signed() - (1 << 24);
    #[expect(clippy::cast_precision_loss, reason = "24 bits and a sign are exact in an f32")]
    let odd = odd as f32;
    odd / 16_777_216.0
}

/// Bytes behind their length, so that no two lists of fields hash the same bytes.
fn frame(hasher: &mut Xxh3, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

const WORDS: [&str; 16] = [
    "bread", "salt", "honey", "rice", "olives", "pears", "walnuts", "cheese", "barley", "plums",
    "butter", "beans", "vinegar", "pepper", "apples", "tea",
];

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "text-embedding-3-small";

    #[test]
    fn answers_are_the_same_as_ever() {
        let text = digest(MODEL, 1536, Input::Text("golden"));
        let tokens = digest(MODEL, 1536, Input::Tokens(&[1, 2, 3]));
        assert_eq!(format!("{text:032x}"), "67be05caa13547aa455d430d99f3355d");
        assert_eq!(format!("{tokens:032x}"), "7ec8f2bda6dd8d76674f0cfac12c65d0");
        let vector = vector(MODEL, 3, Input::Text("golden"));
        assert_eq!(format!("{vector:?}"), "[-0.89917237, 0.651063, 0.09173125]");
        let seed = chat_seed("gpt", r#"[{"role":"user","content":"golden"}]"#);
        assert_eq!(words(seed, 3).concat(), "69c0349e01c71593 salt walnuts");
    }

    #[test]
    fn every_field_alters_the_vector() {
        let of = |model, dimensions, input| vector(model, dimensions, input)[..2].to_vec();
        let same = of(MODEL, 2, Input::Text("12"));
        assert_eq!(of(MODEL, 2, Input::Text("12")), same);
        assert_ne!(of("other", 2, Input::Text("12")), same);
        assert_ne!(of(MODEL, 3, Input::Text("12")), same);
        assert_ne!(of(MODEL, 2, Input::Text("12 ")), same);
        assert_ne!(of(MODEL, 2, Input::Tokens(&[12])), same);
    }

    #[test]
    fn components_are_inside_the_open_interval_and_exact() {
        let vector = vector(MODEL, 10_001, Input::Text(""));
        assert_eq!(vector.len(), 10_001);
        assert!(vector.iter().all(|number| number.abs() < 1.0 && *number != 0.0));
        let mean: f32 = vector.iter().sum::<f32>() / 10_001.0;
        assert!(mean.abs() < 0.03, "{mean}");
        assert_eq!(component(0).to_bits(), (-1.0 + 2f32.powi(-24)).to_bits());
        assert_eq!(component(0xff_ffff).to_bits(), (1.0 - 2f32.powi(-24)).to_bits());
    }

    #[test]
    fn tokens_are_counted_without_a_tokenizer() {
        assert_eq!(tokens(Input::Text("")), 1);
        assert_eq!(tokens(Input::Text("12345")), 2);
        assert_eq!(tokens(Input::Tokens(&[7, 7, 7])), 3);
    }

    #[test]
    fn white_space_alters_a_text_and_not_a_conversation() {
        let seed = chat_seed("gpt", r#"[{"content":"a \" b"}]"#);
        assert_eq!(chat_seed("gpt", "[ {\"content\" :\n \"a \\\" b\"} ]"), seed);
        assert_ne!(chat_seed("gpt", r#"[{"content":"a \"  b"}]"#), seed);
        assert_eq!(compact("[ \"\\\\\" , 1 ]"), b"[\"\\\\\",1]");
        assert_eq!(words(seed, 0), Vec::<String>::new());
    }
}
