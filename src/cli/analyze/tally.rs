//! What was asked for, how much of it again, and what a cache would have had of it.

use std::collections::{BTreeMap, HashSet};

use super::form::Said;
use super::lookup::{Asked, Item, Question};
use super::recency::{MOST_KEYS, Recency, Seen};
use crate::tier::memory::room_for_values;

/// How many models are told apart, and how much of a name is shown.
const MOST_MODELS: usize = 1_000;
const LONGEST_NAME: usize = 80;

/// What one model, or all, were asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Count {
    pub(super) requests: u64,
    /// Inputs; of models' words, the requests whose answer may be kept.
    pub(super) inputs: u64,
    /// Those that stand a second time in their own request.
    pub(super) within: u64,
    /// Those that an earlier request had, too.
    pub(super) across: u64,
    /// Of these, what a cache of each size would still have had.
    pub(super) held: Vec<u64>,
    /// Where logs say it.
    pub(super) tokens: Option<Part<u64>>,
    /// Dollars, where logs say it.
    pub(super) cost: Option<Part<f64>>,
}

/// Some of all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Part<T> {
    pub(super) all: T,
    pub(super) duplicate: T,
}

/// Whom is asked for what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) provider: String,
    pub(super) model: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Embeddings,
    Words,
}

/// What requests came to so far.
pub(super) struct Tally {
    /// What is in memory for values, of each size.
    rooms: Vec<u64>,
    recency: Recency,
    pub(super) counts: BTreeMap<Subject, Count>,
    /// Inputs of which it could not be told whether they were asked for before.
    pub(super) untold: u64,
}

impl Tally {
    /// For caches of these sizes.
    pub(super) fn of(sizes: &[u64]) -> Self {
        let rooms = sizes.iter().copied().map(room_for_values).collect();
        Self { rooms, recency: Recency::of(MOST_KEYS), counts: BTreeMap::new(), untold: 0 }
    }

    /// Counts a request.
    pub(super) fn add(&mut self, question: Question, said: Said) {
        let (kind, items, tokens) = match question.asked {
            Asked::Embeddings { inputs, tokens } => (Kind::Embeddings, inputs, tokens),
            Asked::Words(item) => (Kind::Words, item.into_iter().collect(), None),
        };
        let mut count = Count { requests: 1, inputs: items.len() as u64, ..Count::default() };
        count.held = vec![0; self.rooms.len()];
        let duplicate = self.look_up(&items, &mut count);
        let all = items.iter().map(|item| item.share).sum();
        if let Some(tokens) = said.tokens.or(tokens) {
            count.tokens = Some(Part { all: tokens, duplicate: part(tokens, duplicate, all) });
        }
        count.cost =
            said.cost.map(|cost| Part { all: cost, duplicate: cost * ratio(duplicate, all) });
        let subject = self.subject(kind, question.provider, &question.model);
        self.counts.entry(subject).or_default().take(&count);
    }

    /// All of one kind.
    pub(super) fn total(&self, kind: Kind) -> Count {
        let mut total = Count { held: vec![0; self.rooms.len()], ..Count::default() };
        for (_, count) in self.counts.iter().filter(|(subject, _)| subject.kind == kind) {
            total.take(count);
        }
        total
    }

    /// Looks all up, one after the other; how much of the request was not new.
    fn look_up(&mut self, items: &[Item], count: &mut Count) -> u64 {
        let mut own = HashSet::with_capacity(items.len());
        let mut duplicate = 0;
        for item in items {
            if !own.insert(item.key) {
                count.within += 1;
                duplicate += item.share;
                continue;
            }
            match self.recency.touch(&item.key, item.weight) {
                Seen::First => {}
                Seen::Untold => self.untold += 1,
                Seen::Again(distance) => {
                    count.across += 1;
                    duplicate += item.share;
                    for (held, room) in count.held.iter_mut().zip(&self.rooms) {
                        *held += u64::from(distance <= *room);
                    }
                }
            }
        }
        duplicate
    }

    fn subject(&self, kind: Kind, provider: String, model: &str) -> Subject {
        let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        let model = model.chars().take(LONGEST_NAME).map(shown).collect();
        let subject = Subject { kind, provider, model };
        if self.counts.len() < MOST_MODELS || self.counts.contains_key(&subject) {
            return subject;
        }
        Subject { kind, provider: String::new(), model: "others".to_owned() }
    }
}

impl Count {
    fn take(&mut self, other: &Self) {
        self.requests += other.requests;
        self.inputs += other.inputs;
        self.within += other.within;
        self.across += other.across;
        self.held.resize(other.held.len(), 0);
        for (held, more) in self.held.iter_mut().zip(&other.held) {
            *held += more;
        }
        if let Some(more) = other.tokens {
            let tokens = self.tokens.get_or_insert_default();
            tokens.all += more.all;
            tokens.duplicate += more.duplicate;
        }
        if let Some(more) = other.cost {
            let cost = self.cost.get_or_insert_default();
            cost.all += more.all;
            cost.duplicate += more.duplicate;
        }
    }

    /// Those that nobody had asked for before.
    pub(super) fn distinct(&self) -> u64 {
        self.inputs - self.within - self.across
    }

    /// What share of the inputs so many are.
    pub(super) fn share(&self, some: u64) -> f64 {
        ratio(some, self.inputs)
    }

    /// What share would have needed no provider, with a cache of each size: what stands twice in one
    /// request is asked for once in any case.
    pub(super) fn saved(&self) -> impl Iterator<Item = f64> {
        self.held.iter().map(|held| self.share(self.within + held))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn ratio(some: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { some as f64 / all as f64 }
}

/// The part of a number that some are of all.
fn part(number: u64, some: u64, all: u64) -> u64 {
    let part = u128::from(number) * u128::from(some) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{CacheKey, Digest};

    fn question(keys: &[&str]) -> Question {
        let item = |key: &&str| Item {
            key: CacheKey::whole(Digest::of(key.as_bytes())),
            weight: 1_000,
            share: key.len() as u64,
        };
        let asked = Asked::Embeddings { inputs: keys.iter().map(item).collect(), tokens: None };
        Question { provider: "p".to_owned(), model: "m".to_owned(), asked }
    }

    #[test]
    fn duplicates_are_counted_where_they_stand() {
        let mut tally = Tally::of(&[2_500, 1 << 20]);
        let said = Said { tokens: Some(10), cost: Some(1.0), ..Said::default() };
        tally.add(question(&["a", "bbb", "a"]), said);
        tally.add(question(&["c"]), Said::default());
        tally.add(question(&["a", "a"]), said);
        let count = tally.total(Kind::Embeddings);
        assert_eq!((count.requests, count.inputs, count.distinct()), (3, 6, 3));
        assert_eq!((count.within, count.across), (2, 1));
        // Between the two requests for `a` there are `bbb` and `c`: 3,000 bytes with its own.
        assert_eq!(count.held, [0, 1]);
        assert_eq!(count.tokens, Some(Part { all: 20, duplicate: 12 }));
        assert!((count.cost.unwrap().duplicate - 1.2).abs() < 1e-9);
        assert_eq!(tally.total(Kind::Words).inputs, 0);
    }

    #[test]
    fn names_are_bounded_in_number_and_length_and_print() {
        let mut tally = Tally::of(&[]);
        for n in 0..2 * MOST_MODELS {
            let model = format!("{n}\n{}", "x".repeat(1_000));
            tally.add(Question { model, ..question(&["a"]) }, Said::default());
        }
        assert_eq!(tally.counts.len(), MOST_MODELS + 1);
        for subject in tally.counts.keys() {
            assert!(subject.model.chars().count() <= LONGEST_NAME);
            assert!(!subject.model.contains('\n'));
        }
    }
}
