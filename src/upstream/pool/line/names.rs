//! The names of a head's fields: a provider's answers have the same ones, in the same order, and those that were
//! read before need not be read, hashed and kept anew.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::Header;

use super::wrong;

/// How many kinds of answers are known: whole and streamed ones, of a few endpoints, and errors.
const KINDS: usize = 8;

/// How long a head may be whose names are kept.
const LONGEST: usize = 4 << 10;

/// The heads of one provider's answers, with no values in them.
#[derive(Debug, Default)]
pub(in crate::upstream::pool) struct Names(Mutex<VecDeque<Arc<HeaderMap>>>);

impl Names {
    /// The fields of a head. Their values share its bytes.
    pub(super) fn headers(&self, head: &Bytes, fields: &[Header<'_>]) -> io::Result<HeaderMap> {
        if let Some(known) = self.find(fields) {
            let mut headers = HeaderMap::clone(&known);
            for (value, field) in headers.values_mut().zip(fields) {
                *value = read(head, field)?;
            }
            return Ok(headers);
        }
        let mut headers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| no_field())?;
            headers.append(name, read(head, field)?);
        }
        if head.len() <= LONGEST {
            self.note(&headers);
        }
        Ok(headers)
    }

    fn find(&self, fields: &[Header<'_>]) -> Option<Arc<HeaderMap>> {
        let is_it = |known: &&Arc<HeaderMap>| {
            let mut both = known.keys().zip(fields);
            known.len() == fields.len()
                && both.all(|(name, field)| name.as_str().eq_ignore_ascii_case(field.name))
        };
        self.lock().iter().find(is_it).cloned()
    }

    fn note(&self, headers: &HeaderMap) {
        // Whose values stand in one place each.
        if headers.keys_len() == headers.len() {
            let mut names = headers.clone();
            names.values_mut().for_each(|value| *value = HeaderValue::from_static(""));
            let mut known = self.lock();
            known.truncate(KINDS - 1);
            known.push_front(Arc::new(names));
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<HeaderMap>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(head: &Bytes, field: &Header<'_>) -> io::Result<HeaderValue> {
    HeaderValue::from_maybe_shared(head.slice_ref(field.value)).map_err(|_| no_field())
}

fn no_field() -> io::Error {
    wrong("a field of the answer is not as HTTP/1.1 has them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    #[test]
    fn a_head_says_the_same_whether_its_names_are_known_or_not() {
        let (names, mut chance, mut known) = (Names::default(), Chance(7), 0);
        for _ in 0..2_000 {
            let mut said = Vec::new();
            for _ in 0..chance.below(4) {
                let name = ["x-a", "X-A", "x-b", "Content-Type", "x-c"][chance.below(5)];
                said.push((name, chance.below(9).to_string()));
            }
            let lines = said.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
            let head = Bytes::from(lines.collect::<String>() + "\r\n");
            let mut fields = [httparse::EMPTY_HEADER; 4];
            let (_, fields) = httparse::parse_headers(&head, &mut fields).unwrap().unwrap();
            known += usize::from(names.find(fields).is_some());
            let mut right = HeaderMap::new();
            for (name, value) in &said {
                right.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            assert_eq!(names.headers(&head, fields).unwrap(), right);
        }
        assert!(known > 200 && names.lock().len() == KINDS, "{known}");
    }
}
