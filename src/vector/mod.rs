//! One embedding as it is stored: plain bytes that any tier can hold, and a view that reads them.
//!
//! The layout, all integers little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | version of the layout |
//! | 1 | how the provider prints its numbers ([`Numbers`]) |
//! | 1 | flags: 1 = the provider says `prompt_tokens`, 2 = `total_tokens`, 4 = it numbers its items, 8 = the tokens are an estimate, 16 = base64 of the numbers is the provider's |
//! | 1 | zero |
//! | 4 | tokens that the provider counted for this input |
//! | 4 | how many numbers follow, or bytes of a vector that is kept verbatim |
//! | 2 | length of the envelope |
//! | 2 | length of the item |
//! | 2 | length of the usage |
//! | 2 | zero |
//! | 4, 8 or 1 × as many | the numbers, as 32-bit or 64-bit floats, or the bytes |
//! | … | the envelope: the members of the answer besides `data` and `usage`, as JSON text |
//! | … | the item: the members of the item besides `index` and `embedding`, as JSON text |
//! | … | the usage: its members besides the two counts, as JSON text |
//!
//! Keeping the members as text means that an answer from the cache has whatever members the
//! provider's own has, without larder having to know them.

mod parts;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::iter::repeat_n;
use std::sync::Arc;

use base64_simd::STANDARD;

pub use parts::{Numbers, Parts, Usage};

const VERSION: u8 = 1;
const HEAD: usize = 20;
const PROMPT_TOKENS: u8 = 1;
const TOTAL_TOKENS: u8 = 2;
const NUMBERS_ITEMS: u8 = 4;
const ESTIMATED: u8 = 8;
const BOTH_FORMS: u8 = 16;
/// Where the lengths of the texts stand.
const ENVELOPE: usize = 12;
const ITEM: usize = 14;
const USAGE: usize = 16;

/// One embedding: immutable, cheap to clone, checked once when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector(Arc<[u8]>);

impl Vector {
    /// Packs a vector; `None` where a part is too long for the layout.
    pub fn pack(parts: &Parts<'_>) -> Option<Self> {
        let count = u32::try_from(parts.components.len() / parts.numbers.width()).ok()?;
        let texts = [parts.envelope, parts.item, parts.usage.rest];
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = flag(parts.usage.prompt, PROMPT_TOKENS)
            | flag(parts.usage.total, TOTAL_TOKENS)
            | flag(parts.indexed, NUMBERS_ITEMS)
            | flag(parts.is_estimate, ESTIMATED)
            | flag(parts.has_both_forms, BOTH_FORMS);
        let mut lengths = [[0; 2]; 4];
        for (length, text) in lengths.iter_mut().zip(texts) {
            *length = u16::try_from(text.len()).ok()?.to_le_bytes();
        }
        let [envelope, item, usage] = texts.map(str::as_bytes);
        let parts: [&[u8]; 8] = [
            &[VERSION, parts.numbers.code(), flags, 0],
            &parts.tokens.to_le_bytes(),
            &count.to_le_bytes(),
            lengths.as_flattened(),
            parts.components,
            envelope,
            item,
            usage,
        ];
        // In place, since it is long.
        let mut bytes: Arc<[u8]> = repeat_n(0, parts.iter().map(|part| part.len()).sum()).collect();
        let mut room = Arc::get_mut(&mut bytes)?;
        for part in parts {
            room.write_all(part).ok()?;
        }
        Some(Self(bytes))
    }

    /// The vector that a tier's bytes hold; `None` where they are none.
    pub fn view(bytes: Arc<[u8]>) -> Option<Self> {
        let vector = Self(bytes);
        let (&version, &code) = (vector.0.first()?, vector.0.get(1)?);
        let components = vector.count().checked_mul(Numbers::of_code(code)?.width())?;
        let start = components.checked_add(HEAD)?;
        let texts: usize = [ENVELOPE, ITEM, USAGE].iter().map(|at| vector.u16_at(*at)).sum();
        let whole = version == VERSION && vector.0.len() == start.checked_add(texts)?;
        let readable = whole && std::str::from_utf8(vector.0.get(start..)?).is_ok();
        (readable && vector.verbatim().is_some()).then_some(vector)
    }

    /// The bytes, for a tier.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.0
    }

    /// How many components it has.
    pub fn dimensions(&self) -> usize {
        self.numbers().dimensions(self.components())
    }

    /// Tokens that the provider counted for the input.
    pub fn tokens(&self) -> u32 {
        self.u32_at(4)
    }

    /// How the provider says what it counted.
    pub fn usage(&self) -> Usage<'_> {
        let before = self.u16_at(ENVELOPE) + self.u16_at(ITEM);
        Usage {
            prompt: self.flags() & PROMPT_TOKENS != 0,
            total: self.flags() & TOTAL_TOKENS != 0,
            rest: self.text(self.components_end() + before, self.u16_at(USAGE)),
        }
    }

    /// Whether the tokens are a part of a call's count that was divided by size.
    pub fn is_estimate(&self) -> bool {
        self.flags() & ESTIMATED != 0
    }

    /// Whether base64 of the numbers was known to be the provider's when the vector was stored.
    pub fn has_both_forms(&self) -> bool {
        self.flags() & BOTH_FORMS != 0
    }

    /// Whether the provider numbers its items.
    pub fn indexed(&self) -> bool {
        self.flags() & NUMBERS_ITEMS != 0
    }

    /// The members of the answer besides `data` and `usage`.
    pub fn envelope(&self) -> &str {
        self.text(self.components_end(), self.u16_at(ENVELOPE))
    }

    /// The members of the item besides `index` and `embedding`.
    pub fn item(&self) -> &str {
        self.text(self.components_end() + self.u16_at(ENVELOPE), self.u16_at(ITEM))
    }

    /// Appends the vector as base64 of little-endian 32-bit floats.
    pub fn write_base64(&self, out: &mut Vec<u8>) {
        if self.numbers() == Numbers::Doubles {
            let narrow: Vec<u8> = self.doubles().flat_map(narrow_bytes).collect();
            STANDARD.encode_append(&narrow, out);
        } else {
            STANDARD.encode_append(self.components(), out);
        }
    }

    /// How the provider prints its numbers.
    pub fn numbers(&self) -> Numbers {
        self.0.get(1).and_then(|code| Numbers::of_code(*code)).unwrap_or(Numbers::Unseen)
    }

    /// The same vector of 32-bit floats, printed another way.
    #[must_use]
    pub fn printed(&self, numbers: Numbers) -> Self {
        let mut bytes = self.0.to_vec();
        if let Some(code) = bytes.get_mut(1) {
            *code = numbers.code();
        }
        Self(bytes.into())
    }

    /// Appends the vector as a JSON array of numbers, each the same 64-bit float that the provider's
    /// own text reads as; or the provider's own text, where that is what is kept.
    pub fn write_floats(&self, out: &mut Vec<u8>) {
        match self.numbers() {
            Numbers::Shortest | Numbers::Unseen => write_numbers(out, self.floats()),
            Numbers::Widened => write_numbers(out, self.floats().map(f64::from)),
            Numbers::Doubles => write_numbers(out, self.doubles()),
            Numbers::Verbatim => out.extend(self.verbatim().unwrap_or_default().as_bytes()),
        }
    }

    /// How far another vector is: the cosine distance, from 0 to 2. What cannot be compared as numbers, or
    /// is of other dimensions, is the same or as far as can be.
    pub fn distance(&self, other: &Self) -> f64 {
        let (here, there) = (self.numerals(), other.numerals());
        if here.is_empty() || here.len() != there.len() {
            return if self.components() == other.components() { 0.0 } else { 2.0 };
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let lengths = (dot(&here, &here) * dot(&there, &there)).sqrt();
        if lengths > 0.0 { (1.0 - dot(&here, &there) / lengths).clamp(0.0, 2.0) } else { 0.0 }
    }

    /// The largest difference of two components, relative to the largest component. Infinite if the vectors cannot
    /// be compared, or have other dimensions.
    pub fn deviation(&self, other: &Self) -> f64 {
        let (here, there) = (self.numerals(), other.numerals());
        let largest = here.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
        if here.len() != there.len() || here.is_empty() || largest <= 0.0 {
            return if self.components() == other.components() { 0.0 } else { f64::INFINITY };
        }
        let apart = here.iter().zip(&there).map(|(a, b)| (a - b).abs());
        let apart = apart.fold(0.0, |most: f64, apart| if apart > most { apart } else { most });
        if there.iter().all(|number| number.is_finite()) { apart / largest } else { f64::INFINITY }
    }

    /// The most significant digits of a component, in its shortest form as a 32-bit float.
    pub fn most_digits(&self) -> usize {
        let digits = self.floats().map(|float| {
            let text = format!("{float:e}");
            let mantissa = text.split('e').next().unwrap_or_default();
            mantissa.bytes().filter(u8::is_ascii_digit).count()
        });
        digits.max().unwrap_or(0)
    }

    /// The components as numbers; none of a vector that is kept verbatim.
    fn numerals(&self) -> Vec<f64> {
        match self.numbers() {
            Numbers::Shortest | Numbers::Unseen | Numbers::Widened => {
                self.floats().map(f64::from).collect()
            }
            Numbers::Doubles => self.doubles().collect(),
            Numbers::Verbatim => Vec::new(),
        }
    }

    /// The text of a vector that is kept verbatim; empty for any other, `None` for what is no text.
    pub fn verbatim(&self) -> Option<&str> {
        if self.numbers() != Numbers::Verbatim {
            return Some("");
        }
        std::str::from_utf8(self.components().get(4..)?).ok()
    }

    fn floats(&self) -> impl Iterator<Item = f32> {
        self.components().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
    }

    fn doubles(&self) -> impl Iterator<Item = f64> {
        self.components().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes))
    }

    fn components(&self) -> &[u8] {
        self.0.get(HEAD..self.components_end()).unwrap_or_default()
    }

    fn components_end(&self) -> usize {
        HEAD + self.count() * self.numbers().width()
    }

    fn count(&self) -> usize {
        self.u32_at(8) as usize
    }

    fn flags(&self) -> u8 {
        self.0.get(2).copied().unwrap_or(0)
    }

    fn text(&self, start: usize, length: usize) -> &str {
        let bytes = self.0.get(start..start + length).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn u32_at(&self, at: usize) -> u32 {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    fn u16_at(&self, at: usize) -> usize {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| usize::from(u16::from_le_bytes(*bytes)))
    }
}

fn write_numbers<T: serde::Serialize>(out: &mut Vec<u8>, numbers: impl Iterator<Item = T>) {
    out.push(b'[');
    for (i, number) in numbers.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, &number).expect("writing to a Vec cannot fail");
    }
    out.push(b']');
}

#[expect(clippy::cast_possible_truncation, reason = "what a provider does to answer in base64")]
fn narrow_bytes(number: f64) -> [u8; 4] {
    (number as f32).to_le_bytes()
}
