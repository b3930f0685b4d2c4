//! The usage that a call is reported to have: read as counts and other members, and added up again for the inputs
//! of a request when it is written.

use serde_json::value::RawValue;

use super::json::{self, Members};
use super::portion::count_of;
use super::reply::write_member;
use crate::vector::{Usage, Vector};

/// [`Usage`] with its own text.
#[derive(Debug, Default)]
pub struct UsageText {
    pub(super) counts: Usage<'static>,
    pub(super) rest: String,
}

impl UsageText {
    /// The same with another text.
    pub fn with<'a>(&self, rest: &'a str) -> Usage<'a> {
        Usage { rest, ..self.counts }
    }
}

/// The count of a call, and the members that it came in. Counts that are no plain numbers, or differ from each
/// other, stay the provider's own text.
pub(super) fn read(value: &RawValue) -> (u64, UsageText) {
    let mut usage = UsageText::default();
    let Ok(Members(members)) = serde_json::from_str(value.get()) else {
        let mut text = String::new();
        json::write_compact(&mut text, value.get());
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        inner.unwrap_or_default().clone_into(&mut usage.rest);
        return (0, usage);
    };
    let is_count = |name: &str| matches!(name, "prompt_tokens" | "total_tokens");
    let counts = members.iter().filter(|(name, _)| is_count(name)).map(|(_, value)| value.get());
    let tokens = counts.clone().find_map(count_of).unwrap_or(0);
    let is_plain = counts.clone().all(|count| count.parse() == Ok(tokens));
    for (name, value) in &members {
        match name.as_ref() {
            "prompt_tokens" if is_plain => usage.counts.prompt = true,
            "total_tokens" if is_plain => usage.counts.total = true,
            _ => write_member(&mut usage.rest, name, value),
        }
    }
    (tokens, usage)
}

/// Appends the usage of an answer made of these vectors, as the last member.
pub(super) fn write(out: &mut Vec<u8>, vectors: &[Vector]) {
    let Some(usage) = vectors.first().map(Vector::usage).filter(Usage::is_some) else {
        return;
    };
    let tokens: u64 = vectors.iter().map(|vector| u64::from(vector.tokens())).sum();
    let mut buffer = itoa::Buffer::new();
    let count = buffer.format(tokens).as_bytes();
    out.extend(br#","usage":{"#);
    for (name, said) in
        [(&br#""prompt_tokens":"#[..], usage.prompt), (br#""total_tokens":"#, usage.total)]
    {
        if said {
            out.extend(name);
            out.extend(count);
            out.push(b',');
        }
    }
    write_rest(out, usage.rest, vectors);
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(b'}');
}

fn write_rest(out: &mut Vec<u8>, first: &str, vectors: &[Vector]) {
    // Mostly zeros and nulls, of which there is no sum.
    let idle = !first.contains(|c: char| matches!(c, '1'..='9'))
        && vectors.iter().all(|vector| vector.usage().rest == first);
    if idle || vectors.len() == 1 {
        return out.extend(first.as_bytes());
    }
    let objects = vectors.iter().map(|vector| format!("{{{}}}", vector.usage().rest));
    let sum = objects.reduce(|a, b| add(&a, &b).unwrap_or(a)).unwrap_or_default();
    let members = sum.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    out.extend(members.unwrap_or_default().as_bytes());
}

/// Two values with their numbers added up; what is no number is as in the first.
pub(super) fn add(a: &str, b: &str) -> Option<String> {
    if a.starts_with('{') && b.starts_with('{') {
        let Members(ours) = serde_json::from_str(a).ok()?;
        let Members(theirs) = serde_json::from_str(b).ok()?;
        let mut out = Vec::with_capacity(a.len() + 16);
        for (name, value) in &ours {
            out.push(if out.is_empty() { b'{' } else { b',' });
            json::write_text(&mut out, name);
            out.push(b':');
            let other = theirs.iter().find(|(other, _)| other == name);
            let sum = other.and_then(|(_, other)| add(value.get(), other.get()));
            out.extend(sum.as_deref().unwrap_or(value.get()).as_bytes());
        }
        out.extend(if out.is_empty() { &b"{}"[..] } else { b"}" });
        return String::from_utf8(out).ok();
    }
    if let (Ok(a), Ok(b)) = (a.parse::<u64>(), b.parse::<u64>()) {
        return Some(a.checked_add(b)?.to_string());
    }
    let sum = a.parse::<f64>().ok()? + b.parse::<f64>().ok()?;
    serde_json::to_string(&sum).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> (u64, String) {
        let value: Box<RawValue> = serde_json::from_str(json).unwrap();
        let (tokens, usage) = read(&value);
        (tokens, usage.rest)
    }

    #[test]
    fn parts_of_a_price_are_added_up_again() {
        let part = r#"{"cost":0.25,"details":{"price":0.005,"n":null}}"#;
        let sum = r#"{"cost":0.5,"details":{"price":0.01,"n":null}}"#;
        assert_eq!(add(part, part).as_deref(), Some(sum));
        assert_eq!(add("{}", "{}").as_deref(), Some("{}"));
    }

    #[test]
    fn counts_that_are_not_plain_stay_as_they_came() {
        let usage = r#"{"total_tokens":8,"pictures":2}"#;
        assert_eq!(said(usage), (8, r#""pictures":2"#.to_owned()));
        for (usage, tokens) in [
            (r#""total_tokens":8,"prompt_tokens":7"#, 8),
            (r#""prompt_tokens":8.0,"total_tokens":8.0"#, 8),
            (r#""prompt_tokens":"8","cached":true"#, 0),
            (r#""a":1,"a":2"#, 0),
        ] {
            assert_eq!(said(&format!("{{{usage}}}")), (tokens, usage.to_owned()));
        }
    }
}
