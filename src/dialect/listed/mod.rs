//! Answers that are lists of vectors with other members beside them.
//!
//! What such an answer says besides its vectors is kept as JSON text with marks in it where
//! something else stands in the answer to each request. The marks are control characters, which JSON
//! text cannot contain.

mod write;

use std::mem;

use serde_json::value::RawValue;

pub(super) use write::write;

use super::json::{self, Members};
use super::portion::count_of;
use super::reply::{EmbedReply, Item, check, keep, read_vector, write_member};
use super::usage::UsageText;
use super::{Asked, Invalid};
use crate::request::Encoding;
use crate::usage::{Layout, Reported, UsageReader};
use crate::vector::{Numbers, Usage};

/// Where a list of vectors stands.
const VECTORS: char = '\u{1}';
/// Where the number of tokens stands.
const TOKENS: char = '\u{2}';
/// Before and after a count of the vector's own, which is another than the number of tokens, or no whole number.
pub(super) const COUNT: char = '\u{4}';
/// Where the texts of the request stand.
const TEXTS: char = '\u{3}';

/// How an endpoint lists its vectors.
#[derive(Debug)]
pub(super) struct Form {
    /// The member with the list, or with an object of lists, one for each form that was asked for;
    /// empty where the answer is the list.
    pub(super) vectors: &'static str,
    /// Whether it is one vector instead of a list of them.
    pub(super) one: bool,
    /// The member of a vector that its numbers are in, if it is an object.
    pub(super) wrap: &'static str,
    /// Members at any depth that count the call's tokens.
    pub(super) counts: &'static [&'static str],
    /// The member that gives the texts of the request back.
    pub(super) echo: &'static str,
}

/// The vectors of an answer, in columns: one for each form that was asked for.
struct Columns<'a> {
    template: String,
    lists: Vec<Vec<&'a RawValue>>,
}

pub(super) fn read(form: &Form, body: &[u8], asked: Asked) -> Result<EmbedReply, Invalid> {
    let body: &RawValue = serde_json::from_slice(body).map_err(|_| Invalid("it is not JSON"))?;
    let mut rest = Rest::new(form, asked.inputs);
    let columns = if form.vectors.is_empty() {
        Some(form.columns(body)?)
    } else {
        rest.read(body)?.map(|vectors| form.columns(vectors)).transpose()?
    };
    let columns = columns.ok_or(Invalid("it has no vectors"))?;
    let reply = EmbedReply {
        items: columns.items(form, asked)?,
        in_order: true,
        envelope: mem::take(&mut rest.envelope),
        tokens: rest.tokens.unwrap_or(0),
        reported: rest.reported(),
        usage: UsageText { counts: Usage::default(), rest: columns.template },
    };
    check(&reply, asked.inputs)?;
    Ok(reply)
}

impl Form {
    fn columns<'a>(&self, vectors: &'a RawValue) -> Result<Columns<'a>, Invalid> {
        let plain = VECTORS.to_string();
        if self.one {
            return Ok(Columns { template: plain, lists: vec![vec![vectors]] });
        }
        if !vectors.get().starts_with('{') {
            return Ok(Columns { template: plain, lists: vec![list(vectors)?] });
        }
        let Members(forms) = serde_json::from_str(vectors.get())
            .map_err(|_| Invalid("an embedding type is repeated"))?;
        let mut columns = Columns { template: "{".to_owned(), lists: Vec::new() };
        for (name, value) in &forms {
            if columns.template.len() > 1 {
                columns.template.push(',');
            }
            push_name(&mut columns.template, name);
            if value.get().starts_with('[') {
                columns.template.push(VECTORS);
                columns.lists.push(list(value)?);
            } else {
                json::write_compact(&mut columns.template, value.get());
            }
        }
        columns.template.push('}');
        Ok(columns)
    }
}

fn list(value: &RawValue) -> Result<Vec<&RawValue>, Invalid> {
    serde_json::from_str(value.get()).map_err(|_| Invalid("it has no list of vectors"))
}

fn push_name(out: &mut String, name: &str) {
    out.push_str(&serde_json::to_string(name).expect("a string is always JSON"));
    out.push(':');
}

impl Columns<'_> {
    fn items(&self, form: &Form, asked: Asked) -> Result<Vec<Item>, Invalid> {
        if self.lists.iter().any(|list| list.len() != asked.inputs) {
            return Err(Invalid("the number of vectors differs from the number of inputs"));
        }
        (0..asked.inputs).map(|at| self.item(form, (at, asked.encoding))).collect()
    }

    fn item(&self, form: &Form, (at, encoding): (usize, Encoding)) -> Result<Item, Invalid> {
        let row: Vec<&RawValue> =
            self.lists.iter().filter_map(|list| list.get(at).copied()).collect();
        let mut item = String::new();
        let (components, numbers) = match row.as_slice() {
            [] => return Err(Invalid("it has no vectors")),
            all if encoding == Encoding::Kept => {
                let kept = keep(all).ok_or(Invalid("a component of a vector is not a number"))?;
                (kept, Some(Numbers::Verbatim))
            }
            [vector] if form.wrap.is_empty() => read_vector(vector, encoding)?,
            [vector] => read_vector(unwrap(form, vector, &mut item)?, encoding)?,
            _ => return Err(Invalid("it has more embedding types than requested")),
        };
        Ok(Item { components, numbers, indexed: false, item })
    }
}

fn unwrap<'a>(
    form: &Form,
    vector: &'a RawValue,
    item: &mut String,
) -> Result<&'a RawValue, Invalid> {
    const WRONG: Invalid = Invalid("an item has no vector");
    let Members(members) = serde_json::from_str(vector.get()).map_err(|_| WRONG)?;
    let mut found = None;
    for (name, value) in members {
        if name == form.wrap {
            found = Some(value);
        } else {
            write_member(item, &name, value);
        }
    }
    found.ok_or(WRONG)
}

/// What an answer says besides its vectors.
struct Rest<'f> {
    form: &'f Form,
    inputs: usize,
    envelope: String,
    tokens: Option<u64>,
    usage: UsageReader,
}

impl<'f> Rest<'f> {
    fn new(form: &'f Form, inputs: usize) -> Self {
        let usage = UsageReader::new(Layout::Whole);
        Self { form, inputs, envelope: String::new(), tokens: None, usage }
    }

    /// The usage as it was billed; where that is not said, the counts of the form.
    fn reported(&self) -> Reported {
        let reported = self.usage.reported();
        match (reported.usage, self.tokens) {
            (None, Some(tokens)) => {
                Reported { model: reported.model, ..Reported::of_input(tokens) }
            }
            _ => reported,
        }
    }

    /// Reads all members; gives the vectors.
    fn read<'a>(&mut self, body: &'a RawValue) -> Result<Option<&'a RawValue>, Invalid> {
        let Members(members) =
            serde_json::from_str(body.get()).map_err(|_| Invalid("it is not a JSON object"))?;
        let mut vectors = None;
        let mut envelope = String::new();
        for (name, value) in members {
            if name == self.form.vectors {
                vectors = Some(value);
                continue;
            }
            if !envelope.is_empty() {
                envelope.push(',');
            }
            push_name(&mut envelope, &name);
            self.usage.member(&name, value.get());
            let texts = list(value).map_or(0, |texts| texts.len());
            if name == self.form.echo && texts == self.inputs {
                envelope.push(TEXTS);
            } else {
                self.write(&mut envelope, &name, value)?;
            }
        }
        self.envelope = envelope;
        Ok(vectors)
    }

    /// Appends a value, with a mark for each count of tokens in it.
    fn write(&mut self, out: &mut String, name: &str, value: &RawValue) -> Result<(), Invalid> {
        let text = value.get();
        if text.starts_with('{') {
            let Members(members) =
                serde_json::from_str(text).map_err(|_| Invalid("a field is repeated"))?;
            out.push('{');
            for (i, (name, value)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push_name(out, name);
                self.write(out, name, value)?;
            }
            out.push('}');
        } else if let Some(count) = count_of(text).filter(|_| self.form.counts.contains(&name)) {
            let tokens = *self.tokens.get_or_insert(count);
            if text.parse() == Ok(tokens) {
                out.push(TOKENS);
            } else {
                out.push(COUNT);
                out.push_str(text);
                out.push(COUNT);
            }
        } else {
            json::write_compact(out, text);
        }
        Ok(())
    }
}
