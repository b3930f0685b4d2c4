//! Inputs that are asked for at once, as JSON text: what is queued takes no more room than it came in.

use std::ops::Range;

use serde_json::Error;
use serde_json::value::RawValue;

/// Inputs of one request, at the most: some calls of most providers, and little to lose with one.
const INPUTS: usize = 128;

/// Bytes of one request, unless an input is larger by itself.
const BYTES: usize = 512 << 10;

/// Some inputs, as a JSON array.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Portion {
    array: String,
    count: usize,
}

impl Portion {
    /// Whether an input of so many bytes would be too much beside the others.
    pub fn is_full_for(&self, bytes: usize) -> bool {
        self.count == INPUTS || (self.count > 0 && self.array.len() + bytes > BYTES)
    }

    /// Adds an input, as JSON text.
    pub fn add(&mut self, input: &str) {
        self.array.push(if self.count == 0 { '[' } else { ',' });
        self.array.push_str(input);
        self.count += 1;
    }

    /// How many inputs there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The body of a request for them, with these members before.
    pub fn body(&self, members: &str) -> String {
        format!("{{{members}\"input\":{}]}}", self.array)
    }

    /// Two halves of it, of which one may be taken where the whole is not; `None` for what is one input.
    pub fn halves(&self) -> Option<[Self; 2]> {
        let whole = format!("{}]", self.array);
        let inputs: Result<Vec<&RawValue>, Error> = serde_json::from_str(&whole);
        let inputs = inputs.ok().filter(|inputs| inputs.len() > 1)?;
        let middle = inputs.len() / 2;
        let half = |range: Range<usize>| {
            let mut half = Self::default();
            inputs.get(range).into_iter().flatten().for_each(|input| half.add(input.get()));
            half
        };
        Some([half(0..middle), half(middle..inputs.len())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_the_whole_in_order() {
        let mut portion = Portion::default();
        for input in ["\"a, ]\"", "[1,2]", "\"\\\"\""] {
            portion.add(input);
        }
        assert_eq!(portion.body("\"m\":1,"), r#"{"m":1,"input":["a, ]",[1,2],"\""]}"#);
        let [first, second] = portion.halves().expect("three");
        assert_eq!((first.count(), second.count()), (1, 2));
        assert_eq!(first.body(""), r#"{"input":["a, ]"]}"#);
        assert_eq!(second.body(""), r#"{"input":[[1,2],"\""]}"#);
        assert!(first.halves().is_none());
    }

    #[test]
    fn a_portion_is_bounded_unless_one_input_is_larger() {
        let mut portion = Portion::default();
        assert!(!portion.is_full_for(10 << 20));
        portion.add(&"1".repeat(BYTES / 2));
        assert!(portion.is_full_for(BYTES) && !portion.is_full_for(10));
        for _ in 1..INPUTS {
            portion.add("1");
        }
        assert!(portion.is_full_for(1));
    }
}
