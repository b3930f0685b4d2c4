//! What a call is said to have used: shared out among its inputs when it is read, added up again for
//! the inputs of a request when it is written.

use serde_json::value::RawValue;

use super::Invalid;
use super::json::{self, Members};
use super::reply::write_member;
use crate::vector::{Usage, Vector};

const WRONG: Invalid = Invalid("its usage cannot be divided among the inputs");

/// [`Usage`] with its own text.
#[derive(Debug, Default)]
pub struct UsageText {
    pub(super) counts: Usage<'static>,
    pub(super) rest: String,
}

impl UsageText {
    /// A view of it.
    pub fn as_usage(&self) -> Usage<'_> {
        Usage { rest: &self.rest, ..self.counts }
    }
}

/// The count of a call, and in which words it came. What else it says must count nothing, or be a
/// price, or be of one input alone.
pub(super) fn read(value: &RawValue, inputs: usize) -> Result<(u64, UsageText), Invalid> {
    let Members(members) = serde_json::from_str(value.get()).map_err(|_| WRONG)?;
    let mut usage = UsageText::default();
    let mut counts: Vec<u64> = Vec::new();
    for (name, value) in &members {
        let counted = match name.as_ref() {
            "prompt_tokens" => &mut usage.counts.prompt,
            "total_tokens" => &mut usage.counts.total,
            _ if inputs == 1 => {
                write_member(&mut usage.rest, name, value);
                continue;
            }
            _ => {
                let part = RawValue::from_string(part(value, inputs)?).map_err(|_| WRONG)?;
                write_member(&mut usage.rest, name, &part);
                continue;
            }
        };
        *counted = true;
        counts.push(value.get().parse().map_err(|_| WRONG)?);
    }
    let tokens = counts.first().copied().unwrap_or(0);
    if counts.iter().any(|other| *other != tokens) {
        return Err(WRONG);
    }
    Ok((tokens, usage))
}

/// One input's part of what was said of so many. A price is shared out evenly; a count of anything
/// but tokens is not known to be.
#[expect(clippy::cast_precision_loss, reason = "a call has less than 2^52 inputs")]
fn part(value: &RawValue, inputs: usize) -> Result<String, Invalid> {
    let text = value.get();
    if text.starts_with('{') {
        let Members(members) = serde_json::from_str(text).map_err(|_| WRONG)?;
        let mut parts = String::new();
        for (name, value) in &members {
            let part = RawValue::from_string(part(value, inputs)?).map_err(|_| WRONG)?;
            write_member(&mut parts, name, &part);
        }
        return Ok(format!("{{{parts}}}"));
    }
    match text.parse::<f64>() {
        _ if matches!(text, "0" | "null") => Ok(text.to_owned()),
        Ok(price) if text.contains(['.', 'e', 'E']) => {
            serde_json::to_string(&(price / inputs as f64)).map_err(|_| WRONG)
        }
        _ => Err(WRONG),
    }
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
fn add(a: &str, b: &str) -> Option<String> {
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

    fn said(json: &str, inputs: usize) -> Result<(u64, String), Invalid> {
        let value: Box<RawValue> = serde_json::from_str(json).unwrap();
        read(&value, inputs).map(|(tokens, usage)| (tokens, usage.rest))
    }

    #[test]
    fn a_price_is_shared_out_and_added_up_again() {
        let usage =
            r#"{"prompt_tokens":8,"total_tokens":8,"cost":0.5,"details":{"price":1e-2,"n":null}}"#;
        let rest = r#""cost":0.25,"details":{"price":0.005,"n":null}"#;
        assert_eq!(said(usage, 2), Ok((8, rest.to_owned())));
        let part = format!("{{{rest}}}");
        let sum = r#"{"cost":0.5,"details":{"price":0.01,"n":null}}"#;
        assert_eq!(add(&part, &part).as_deref(), Some(sum));
        assert_eq!(add("{}", "{}").as_deref(), Some("{}"));
    }

    #[test]
    fn other_counts_are_kept_where_they_are_of_one_input() {
        let usage = r#"{"total_tokens":8,"pictures":2}"#;
        assert_eq!(said(usage, 1), Ok((8, r#""pictures":2"#.to_owned())));
        assert_eq!(said(usage, 2), Err(WRONG));
        assert_eq!(said(r#"{"total_tokens":8,"pictures":0}"#, 2).unwrap().1, r#""pictures":0"#);
        assert_eq!(said(r#"{"total_tokens":8,"prompt_tokens":7}"#, 1), Err(WRONG));
    }
}
