//! A provider's answer to a call for embeddings, taken apart and checked.

use std::borrow::Cow;

use base64_simd::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::json::{Apart, Members, quoted, text, write_compact};
use super::usage::{self, UsageText};
use super::{Asked, Invalid};
use crate::request::Encoding;
use crate::usage::{Layout, Reported, UsageReader};
use crate::vector::Numbers;

/// How long the members that larder passes on may be, all together, for an answer to be stored.
const MAX_PASSED_ON: usize = 4_096;

/// An answer whose item *i* belongs to input *i* of its call.
#[derive(Debug)]
pub struct EmbedReply {
    /// The members besides `data` and `usage`, as JSON text without braces.
    pub envelope: String,
    /// Tokens that the provider counted for the whole call.
    pub tokens: u64,
    /// How it says so.
    pub usage: UsageText,
    /// The usage that it was billed by, and the model that it names.
    pub reported: Reported,
    /// One for each input of the call, all of the same dimensions.
    pub items: Vec<Item>,
    /// Whether they came in that order.
    pub in_order: bool,
}

/// One vector of an answer.
#[derive(Debug)]
pub struct Item {
    /// Its components, as [`Numbers`] says; 4 bytes each where they came as base64.
    pub components: Vec<u8>,
    /// How its numbers were printed; `None` where they came as base64.
    pub numbers: Option<Numbers>,
    /// Whether the provider numbered it.
    pub indexed: bool,
    /// The members besides `index` and `embedding`, as JSON text without braces.
    pub item: String,
}

impl Item {
    /// How many components it has.
    pub fn dimensions(&self) -> usize {
        self.numbers.unwrap_or(Numbers::Unseen).dimensions(&self.components)
    }

    /// Whether its numbers show how the provider prints them. Those that are the same in both forms do not.
    pub fn is_telling(&self) -> bool {
        match self.numbers {
            Some(Numbers::Widened | Numbers::Doubles) => true,
            Some(Numbers::Shortest) => {
                let (floats, _) = self.components.as_chunks();
                floats.iter().any(|bytes| !is_shortest(f64::from(f32::from_le_bytes(*bytes))))
            }
            Some(Numbers::Unseen | Numbers::Verbatim) | None => false,
        }
    }
}

/// Reads an answer in the `OpenAI` shape, whose items have their vectors in this member.
pub(super) fn read(member: &str, body: &[u8], asked: Asked) -> Result<EmbedReply, Invalid> {
    // UTF-8 is looked for once, and not in each part that is kept as text.
    let parts = str::from_utf8(body).ok().and_then(|body| serde_json::from_str(body).ok());
    let Parts { items, members } =
        parts.ok_or(Invalid("it is not a JSON object with a list of vectors"))?;
    let (items, in_order) = read_items(member, &items, asked)?;
    let mut reply = EmbedReply {
        envelope: String::new(),
        tokens: 0,
        usage: UsageText::default(),
        reported: Reported::default(),
        items,
        in_order,
    };
    let mut usage = UsageReader::new(Layout::Whole);
    for (name, value) in &members {
        usage.member(name, value.get());
        match (name.as_ref(), first_byte(value)) {
            ("usage", b'{') => (reply.tokens, reply.usage) = usage::read(value),
            _ => write_member(&mut reply.envelope, name, value),
        }
    }
    reply.reported = usage.reported();
    check(&reply, asked.inputs)?;
    Ok(reply)
}

/// An answer's parts. The list is not looked at twice, since it is nearly all of the bytes.
struct Parts<'a> {
    items: Vec<Members<'a>>,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'de> Deserialize<'de> for Parts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut items = None;
        let apart = Apart { name: Some("data"), into: &mut items };
        let members = deserializer.deserialize_map(apart)?;
        Ok(Self { items: items.unwrap_or_default(), members })
    }
}

/// Whether there is a vector for each input, all are alike, and what goes with them is short.
pub(super) fn check(reply: &EmbedReply, inputs: usize) -> Result<(), Invalid> {
    if reply.items.len() != inputs {
        return Err(Invalid("the number of vectors differs from the number of inputs"));
    }
    let mut dimensions = reply.items.iter().map(Item::dimensions);
    let first = dimensions.next().unwrap_or(0);
    if first == 0 || dimensions.any(|other| other != first) {
        return Err(Invalid("its vectors are empty or differ in dimensions"));
    }
    let longest_item = reply.items.iter().map(|item| item.item.len()).max().unwrap_or(0);
    if reply.envelope.len() + reply.usage.rest.len() + longest_item > MAX_PASSED_ON {
        return Err(Invalid("its other fields are too long to store"));
    }
    Ok(())
}

/// The items in the order of the inputs: by their `index` where they have one, which must then be
/// a permutation. And whether that is how they came.
fn read_items(
    member: &str,
    raw: &[Members<'_>],
    asked: Asked,
) -> Result<(Vec<Item>, bool), Invalid> {
    let mut in_order = true;
    let mut places: Vec<Option<Item>> = Vec::new();
    places.resize_with(asked.inputs.max(raw.len()), || None);
    for (position, Members(members)) in raw.iter().enumerate() {
        let (index, item) = read_item(member, members, asked.encoding)?;
        let index = index.unwrap_or(position);
        in_order &= index == position;
        match places.get_mut(index) {
            Some(free @ None) => *free = Some(item),
            _ => return Err(Invalid("its indexes are not a permutation of the inputs")),
        }
    }
    let items = places.into_iter().collect::<Option<_>>();
    Ok((items.ok_or(Invalid("the number of vectors differs from the number of inputs"))?, in_order))
}

fn read_item(
    member: &str,
    members: &[(Cow<'_, str>, &RawValue)],
    encoding: Encoding,
) -> Result<(Option<usize>, Item), Invalid> {
    let mut index = None;
    let mut vector = None;
    let mut rest = String::new();
    for (name, value) in members {
        match name.as_ref() {
            name if name == member => vector = Some(read_vector(value, encoding)?),
            "index" => {
                let number =
                    value.get().parse().map_err(|_| Invalid("an index is not a number"))?;
                index = Some(number);
            }
            _ => write_member(&mut rest, name, value),
        }
    }
    let (components, numbers) = vector.ok_or(Invalid("an item has no vector"))?;
    Ok((index, Item { components, numbers, indexed: index.is_some(), item: rest }))
}

/// A vector's bytes, and how its numbers were printed if they were.
pub(super) fn read_vector(
    value: &RawValue,
    encoding: Encoding,
) -> Result<(Vec<u8>, Option<Numbers>), Invalid> {
    if encoding == Encoding::Kept {
        let bytes = keep(&[value]).ok_or(Invalid("a component of a vector is not a number"))?;
        return Ok((bytes, Some(Numbers::Verbatim)));
    }
    match first_byte(value) {
        b'"' => Ok((read_base64(value)?, None)),
        b'[' => read_floats(value).map(|(bytes, numbers)| (bytes, Some(numbers))),
        _ => Err(Invalid("a vector is neither numbers nor base64")),
    }
}

/// How long a vector is that is not read. What is a list of objects, or several forms in one, has
/// no length that others could be held against.
fn length_of(value: &RawValue) -> Option<usize> {
    match first_byte(value) {
        b'"' => Some(value.get().len()),
        b'{' => Some(1),
        _ => {
            let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
            let objects = items.first().is_some_and(|item| first_byte(item) == b'{');
            Some(if objects { 1 } else { items.len() })
        }
    }
}

/// The components of vectors that are kept verbatim: their lengths added up, then the one text, or
/// a list of several.
pub(super) fn keep(values: &[&RawValue]) -> Option<Vec<u8>> {
    let mut length = 0;
    let mut kept = String::new();
    for value in values {
        length += length_of(value)?;
        if first_byte(value) == b'[' && value.get().contains("null") {
            return None;
        }
        if !kept.is_empty() {
            kept.push(',');
        }
        write_compact(&mut kept, value.get());
    }
    let kept = if values.len() == 1 { kept } else { format!("[{kept}]") };
    let mut bytes = u32::try_from(length).ok()?.to_le_bytes().to_vec();
    bytes.extend(kept.as_bytes());
    Some(bytes)
}

fn read_base64(value: &RawValue) -> Result<Vec<u8>, Invalid> {
    const WRONG: Invalid = Invalid("a vector is not base64 of 32-bit floats");
    let json = value.get();
    let decode = |text: &str| STANDARD.decode_to_vec(text.as_bytes()).ok();
    // As it stands, since nothing that is escaped is base64.
    let decoded = quoted(json).and_then(decode).or_else(|| decode(&text(json)?));
    decoded.filter(|bytes| are_finite(bytes)).ok_or(WRONG)
}

/// Whether these are 32-bit floats, all of them finite. Looked at to the end, so that many are looked at at once.
fn are_finite(bytes: &[u8]) -> bool {
    let (floats, rest) = bytes.as_chunks();
    let is_finite = |float: &[u8; 4]| f32::from_le_bytes(*float).is_finite();
    rest.is_empty() && floats.iter().fold(true, |all, float| all & is_finite(float))
}

fn read_floats(value: &RawValue) -> Result<(Vec<u8>, Numbers), Invalid> {
    let numbers: Vec<f64> = serde_json::from_str(value.get())
        .map_err(|_| Invalid("a component of a vector is not a number"))?;
    if !numbers.iter().all(|number| narrow(*number).is_finite()) {
        return Err(Invalid("a component of a vector is not finite as a 32-bit float"));
    }
    let printed = printed(&numbers);
    let bytes = match printed {
        Numbers::Doubles => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        _ => numbers.iter().flat_map(|number| narrow(*number).to_le_bytes()).collect(),
    };
    Ok((bytes, printed))
}

/// How the provider prints its numbers, from a vector that it printed.
fn printed(numbers: &[f64]) -> Numbers {
    // Most numbers differ between the two forms; those that are the same in both say nothing.
    if numbers.iter().all(|number| is_shortest(*number)) {
        return Numbers::Shortest;
    }
    if numbers.iter().all(|number| same(f64::from(narrow(*number)), *number)) {
        return Numbers::Widened;
    }
    Numbers::Doubles
}

fn is_shortest(number: f64) -> bool {
    let shortest = serde_json::to_string(&narrow(number)).ok();
    shortest.and_then(|text| text.parse().ok()).is_some_and(|back| same(back, number))
}

/// Bit for bit, since `-0.0` and `0.0` are different numbers to whoever prints them.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
}

#[expect(clippy::cast_possible_truncation, reason = "whether anything is lost is the question")]
fn narrow(number: f64) -> f32 {
    number as f32
}

/// Appends a member to others, as JSON text without white space.
pub(super) fn write_member(out: &mut String, name: &str, value: &RawValue) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(&serde_json::to_string(name).expect("a string is always JSON"));
    out.push(':');
    write_compact(out, value.get());
}

fn first_byte(value: &RawValue) -> u8 {
    value.get().bytes().next().unwrap_or(b' ')
}
