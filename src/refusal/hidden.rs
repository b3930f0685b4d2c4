//! The private parts of a message: credentials, and texts of the request
//! that a provider repeats.

use std::collections::HashMap;

/// Replaces a part that may be a key.
const KEY: &str = "[key]";

/// Replaces a part of the request.
const ECHO: &str = "[…]";

/// Length from which letters and digits without a break may be a key. The parts of a UUID have at most 12,
/// those of a model's dated name fewer.
const KEY_LENGTH: usize = 16;

/// The beginnings of keys by which they are known, whatever follows.
const PREFIXES: [&str; 6] = ["sk-", "pk-", "gsk_", "xai-", "hf_", "AIza"];

/// Length of a part of a request that is noticed wherever it begins: two blocks of it less one.
const BLOCK: usize = 16;

/// Distance of the blocks of a request that are looked for. A common part of `BLOCK + STEP - 1` bytes has one.
const STEP: usize = 8;

/// The secrets of one request.
#[derive(Debug, Default)]
pub struct Hidden<'a> {
    /// Credentials.
    pub secrets: Vec<&'a [u8]>,
    /// The request's body, which a message may repeat; `None` where it is unknown.
    pub body: Option<&'a [u8]>,
}

impl Hidden<'_> {
    /// A text without them.
    pub(super) fn left_out(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            let secret = String::from_utf8_lossy(secret);
            if secret.len() > 3 {
                text = text.replace(&*secret, KEY);
            }
        }
        let text = self.body.map_or_else(|| text.clone(), |body| without_echo(&text, body));
        without_keys(&text)
    }
}

/// A text without the words that look like keys.
fn without_keys(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.*+/=~".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        out.push_str(if is_word(first) && is_key(piece) { KEY } else { piece });
        // The full stop of a sentence is no part of a key.
        if out.ends_with(KEY) && piece.ends_with('.') {
            out.push('.');
        }
        rest = after;
    }
    out
}

fn is_key(word: &str) -> bool {
    let is_run = |run: &str| {
        run.len() >= KEY_LENGTH
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    let is_known = |prefix: &str| word.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 4);
    word.contains("***")
        || PREFIXES.iter().any(|prefix| is_known(prefix))
        || word.split(|c: char| !c.is_ascii_alphanumeric()).any(is_run)
}

/// A text without its longer parts that stand in a request.
fn without_echo(text: &str, body: &[u8]) -> String {
    let bytes = text.as_bytes();
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, block) in bytes.windows(BLOCK).enumerate() {
        places.entry(block).or_default().push(at);
    }
    if places.is_empty() {
        return text.to_owned();
    }
    let mut is_echo = vec![false; bytes.len()];
    for (block, from) in body.windows(BLOCK).step_by(STEP).zip((0..).step_by(STEP)) {
        for at in places.get(block).into_iter().flatten() {
            let before = common(bytes.iter().take(*at).rev(), body.iter().take(from).rev());
            let after = common(bytes.iter().skip(*at), body.iter().skip(from));
            is_echo.iter_mut().skip(at - before).take(before + after).for_each(|echo| *echo = true);
        }
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if !is_echo.get(at).copied().unwrap_or_default() {
            out.push(c);
        } else if !out.ends_with(ECHO) {
            out.push_str(ECHO);
        }
    }
    out
}

/// The number of equal bytes at the beginning of both.
fn common<'b>(one: impl Iterator<Item = &'b u8>, other: impl Iterator<Item = &'b u8>) -> usize {
    one.zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_left_out_whatever_they_look_like() {
        let secrets: Vec<&[u8]> = vec![b"plain-word"];
        let hidden = Hidden { secrets, body: None };
        for (text, rest) in [
            (
                "Incorrect API key provided: sk-abcd1234. See x",
                "Incorrect API key provided: [key]. See x",
            ),
            ("key plain-word is wrong", "key [key] is wrong"),
            ("Incorrect: abc***wxyz.", "Incorrect: [key]."),
            ("token=aB3dE5gH7jK9mN1pQ", "[key]"),
            (
                "the model gpt-4o-mini-2024-07-18 is gone",
                "the model gpt-4o-mini-2024-07-18 is gone",
            ),
            (
                "see https://example.com/account/api-keys.",
                "see https://example.com/account/api-keys.",
            ),
            ("id 3fa85f64-5717-4562-b3fc-2c963f66afa6", "id 3fa85f64-5717-4562-b3fc-2c963f66afa6"),
        ] {
            assert_eq!(hidden.left_out(text), rest);
        }
    }

    #[test]
    fn texts_of_the_request_are_left_out() {
        let body = br#"{"model":"m","input":["a private text about something", "x"]}"#;
        let hidden = Hidden { secrets: Vec::new(), body: Some(body) };
        for cut in 0..8 {
            let told = "a private text about something".get(cut..).unwrap();
            let said = hidden.left_out(&format!("cannot embed <{told}>, nor <{told}>: too long"));
            assert_eq!(said, "cannot embed <[…]>, nor <[…]>: too long", "{cut}");
        }
        let plain = "the request has no member input";
        assert_eq!(hidden.left_out(plain), plain);
    }
}
