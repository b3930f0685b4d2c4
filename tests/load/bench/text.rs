//! Texts that are made up: a few words of a small list, as many as people and chunkers write.
//!
//! The same seed and key give the same bytes, and different keys different ones.

use super::chance::Chance;

/// Half of the texts have fewer words than this.
const MEDIAN_WORDS: f64 = 14.0;
/// How far their lengths spread: the deviation of the logarithm.
const SPREAD: f64 = 0.7;
const MOST_WORDS: f64 = 200.0;

/// The text of a key.
pub(crate) fn of(seed: u64, key: u64) -> String {
    let mut chance = Chance::of(seed, key);
    let words = (MEDIAN_WORDS.ln() + SPREAD * chance.normal()).exp().clamp(2.0, MOST_WORDS);
    let mut text = format!("{key}:");
    for _ in 0..words as usize {
        text.push(' ');
        text.push_str(WORDS.get(chance.below(WORDS.len())).expect("it is below their number"));
    }
    text
}

const WORDS: [&str; 48] = [
    "account", "address", "answer", "apples", "autumn", "battery", "bridge", "button", "calendar",
    "charge", "coffee", "contract", "corner", "customer", "delivery", "engine", "evening",
    "fabric", "garden", "harbour", "invoice", "island", "kitchen", "ladder", "letter", "market",
    "meeting", "mirror", "mountain", "number", "office", "paper", "password", "payment", "pencil",
    "printer", "question", "railway", "receipt", "refund", "river", "season", "shelf", "station",
    "ticket", "travel", "weather", "window",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_text_and_another_key_another() {
        assert_eq!(of(1, 7), of(1, 7));
        assert_ne!(of(1, 7), of(2, 7));
        let mut texts: Vec<String> = (0..1_000).map(|key| of(1, key)).collect();
        let mut lengths: Vec<usize> =
            texts.iter().map(|text| text.split(' ').count() - 1).collect();
        texts.sort_unstable();
        texts.dedup();
        lengths.sort_unstable();
        assert_eq!(texts.len(), 1_000);
        assert!((11..=17).contains(&lengths[500]), "{}", lengths[500]);
        assert!(lengths[990] > 40 && lengths[999] <= 200, "{lengths:?}");
    }
}
