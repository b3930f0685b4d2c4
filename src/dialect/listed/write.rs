//! Writing such an answer: its texts, with what belongs there in place of the marks.

use serde_json::value::RawValue;

use super::super::{json, usage};
use super::{COUNT, Form, TEXTS, TOKENS, VECTORS};
use crate::request::{EmbedRequest, Input};
use crate::vector::{Numbers, Vector};

pub(in crate::dialect) fn write(
    form: &Form,
    request: &EmbedRequest<'_>,
    vectors: &[Vector],
) -> Vec<u8> {
    let Some(first) = vectors.first() else { return Vec::new() };
    let writer = Writer { form, request, vectors };
    let room = vectors.len() * (first.dimensions() * 12 + 8) + first.envelope().len() + 128;
    let mut out = Vec::with_capacity(room);
    if form.vectors.is_empty() {
        writer.fill(&mut out, first.usage().rest);
        return out;
    }
    out.push(b'{');
    json::write_text(&mut out, form.vectors);
    out.push(b':');
    writer.fill(&mut out, first.usage().rest);
    if !first.envelope().is_empty() {
        out.push(b',');
        writer.fill(&mut out, first.envelope());
    }
    out.push(b'}');
    out
}

struct Writer<'a> {
    form: &'a Form,
    request: &'a EmbedRequest<'a>,
    vectors: &'a [Vector],
}

impl Writer<'_> {
    /// Appends a template, with what belongs there in place of its marks.
    fn fill(&self, out: &mut Vec<u8>, template: &str) {
        let columns = template.matches(VECTORS).count();
        let (mut column, mut counts) = (0, 0);
        let mut rest = template;
        while let Some((before, mark, mut after)) = split(rest) {
            out.extend(before.as_bytes());
            match mark {
                VECTORS => {
                    self.write_vectors(out, (column, columns));
                    column += 1;
                }
                TOKENS => {
                    let tokens = self.vectors.iter().map(|vector| u64::from(vector.tokens()));
                    out.extend(itoa::Buffer::new().format(tokens.sum::<u64>()).as_bytes());
                }
                COUNT => {
                    self.write_count(out, counts);
                    counts += 1;
                    after = after.split_once(COUNT).map_or("", |(_, after)| after);
                }
                _ => self.write_texts(out),
            }
            rest = after;
        }
        out.extend(rest.as_bytes());
    }

    /// Appends the sum of the vectors' own counts at the same place.
    fn write_count(&self, out: &mut Vec<u8>, nth: usize) {
        let count = |vector: &Vector| {
            let own = vector.envelope().split(COUNT).nth(2 * nth + 1);
            own.map_or_else(|| vector.tokens().to_string(), str::to_owned)
        };
        let sum = self.vectors.iter().map(count).reduce(|a, b| usage::add(&a, &b).unwrap_or(a));
        out.extend(sum.unwrap_or_default().as_bytes());
    }

    fn write_vectors(&self, out: &mut Vec<u8>, place: (usize, usize)) {
        if self.form.one {
            return self.vectors.iter().take(1).for_each(|one| self.write_vector(out, one, place));
        }
        out.push(b'[');
        for (i, vector) in self.vectors.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            self.write_vector(out, vector, place);
        }
        out.push(b']');
    }

    fn write_vector(&self, out: &mut Vec<u8>, vector: &Vector, (column, of): (usize, usize)) {
        let kept = vector.numbers() == Numbers::Verbatim;
        if kept && of > 1 {
            let row: Vec<&RawValue> = vector
                .verbatim()
                .and_then(|row| serde_json::from_str(row).ok())
                .unwrap_or_default();
            return out.extend(row.get(column).map_or("null", |value| value.get()).as_bytes());
        }
        if kept || self.form.wrap.is_empty() {
            return vector.write_floats(out);
        }
        out.push(b'{');
        json::write_text(out, self.form.wrap);
        out.push(b':');
        vector.write_floats(out);
        if !vector.item().is_empty() {
            out.push(b',');
            out.extend(vector.item().as_bytes());
        }
        out.push(b'}');
    }

    fn write_texts(&self, out: &mut Vec<u8>) {
        let texts: Vec<&str> = self
            .request
            .inputs
            .iter()
            .map(|input| if let Input::Text(text) = input { text.as_ref() } else { "" })
            .collect();
        serde_json::to_writer(out, &texts).expect("writing to a Vec cannot fail");
    }
}

/// What stands before the first mark, the mark, and what stands after it.
fn split(template: &str) -> Option<(&str, char, &str)> {
    let at = template.find([VECTORS, TOKENS, TEXTS, COUNT])?;
    let (before, from) = template.split_at_checked(at)?;
    let mut chars = from.chars();
    let mark = chars.next()?;
    Some((before, mark, chars.as_str()))
}
