//! The vectors of an answer, as the bytes of their 32-bit numbers.

use std::fmt;

use base64_simd::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::trouble::Trouble;

/// Reads an answer to a request for so many vectors, in the order in which they were asked for.
pub(crate) fn vectors(body: &[u8], count: usize) -> Result<Vec<Vec<u8>>, Trouble> {
    let reply: Reply = serde_json::from_slice(body).map_err(|_| Trouble::Malformed)?;
    let mut found = vec![None; count];
    for item in reply.data {
        let place = found.get_mut(item.index).filter(|place| place.is_none());
        *place.ok_or(Trouble::Malformed)? = Some(item.embedding.0);
    }
    found.into_iter().collect::<Option<_>>().ok_or(Trouble::Malformed)
}

#[derive(Deserialize)]
struct Reply {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Embedding,
}

/// Numbers or base64, whatever was asked for: some servers know only one of them.
struct Embedding(Vec<u8>);

impl<'de> Deserialize<'de> for Embedding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either).map(Self)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers, or their bytes as base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        let bytes = STANDARD.decode_to_vec(text).map_err(E::custom)?;
        if bytes.is_empty() || !bytes.len().is_multiple_of(4) {
            return Err(E::custom("not the bytes of numbers"));
        }
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(number) = numbers.next_element::<f32>()? {
            bytes.extend(number.to_le_bytes());
        }
        if bytes.is_empty() { Err(A::Error::custom("a vector without numbers")) } else { Ok(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_are_the_same_bytes_in_the_order_of_the_indices() {
        let bytes = [[0, 0, 128, 63, 0, 0, 0, 63].to_vec(), [0, 0, 0, 191].to_vec()];
        let text = STANDARD.encode_to_string(&bytes[1]);
        let body = format!(
            r#"{{"data":[{{"index":1,"embedding":"{text}"}},{{"index":0,"embedding":[1,0.5]}}]}}"#
        );
        assert_eq!(vectors(body.as_bytes(), 2), Ok(bytes.to_vec()));
    }

    #[test]
    fn another_shape_or_number_of_vectors_is_malformed() {
        for body in [
            r#"{"data":[]}"#,
            r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
            r#"{"data":[{"index":1,"embedding":[1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[]}]}"#,
            r#"{"data":[{"index":0,"embedding":"AAA"}]}"#,
            r#"{"data":[{"index":0,"embedding":"AAAA"}]}"#,
            r#"{"data":[{"index":0,"embedding":[1]}"#,
            "",
        ] {
            assert_eq!(vectors(body.as_bytes(), 1), Err(Trouble::Malformed), "{body}");
        }
    }
}
