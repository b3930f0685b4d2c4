//! Which texts of the catalogue a target has been asked for: what a cache without bound would have.

use std::sync::atomic::{AtomicU64, Ordering};

/// A bit for each text.
#[derive(Debug)]
pub(crate) struct Seen(Vec<AtomicU64>);

impl Seen {
    /// None of so many.
    pub(crate) fn none_of(texts: usize) -> Self {
        Self((0..texts.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    /// Notes a text, and says whether it is the first time.
    pub(crate) fn add(&self, text: usize) -> bool {
        let Some(word) = self.0.get(text / 64) else { return false };
        let bit = 1 << (text % 64);
        // Once all are known, nobody writes: the threads then share the words unharmed.
        word.load(Ordering::Relaxed) & bit == 0 && word.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_new_once() {
        let seen = Seen::none_of(65);
        assert!(seen.add(0) && seen.add(64) && seen.add(1));
        assert!(!seen.add(64) && !seen.add(0));
    }
}
