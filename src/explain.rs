//! Why requests were not answered from the cache: what of each is like what was asked of late, and what
//! is not. Told by names and digests; of a caller's text only the name of a model or namespace is held.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::clock::unix_seconds;

/// So many requests are remembered, and so many explanations.
const REMEMBERED: usize = 256;
const TOLD: usize = 100;

/// Of each so many fields and parts, and no name longer than this.
const MOST: usize = 64;

/// A request in digests.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The same for who shares what is kept. Nobody else is told of it.
    pub who: u64,
    /// What all its parts have in common, by name.
    fields: Vec<(String, u64)>,
    /// What is asked about: inputs, or messages. In order of size, not of their places.
    parts: Vec<u64>,
}

/// Why a request was answered as it was.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// When, in seconds since 1970.
    pub time: f64,
    /// For whom it was.
    pub provider: String,
    /// For which model.
    pub model: String,
    /// What the cache did, as the label `verdict` has it, or `not_stored`.
    pub outcome: &'static str,
    /// In a word of a closed list, or empty.
    pub reason: &'static str,
    /// The operator's rule that was carried out for it, if any was.
    pub rule: Option<String>,
    /// How many parts were in the cache.
    pub hits: usize,
    /// A state of larder that made the request more costly, as a sentence.
    pub note: Option<String>,
    /// What was asked of late that is most like it.
    pub nearest: Option<Nearest>,
}

/// A request of late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearest {
    /// How many seconds ago.
    pub age: u64,
    /// How many of the parts were in it, and of how many.
    pub parts: (usize, usize),
    /// What is not the same, with digests of it here and there; 0 is that it is not there.
    pub differs: Vec<(String, u64, u64)>,
}

/// What was asked and explained of late. What is like what is found out when somebody wants to know, since
/// most are never asked about.
#[derive(Debug, Default)]
pub struct Explained {
    /// What digests are made with, which nobody can guess from: `SipHash`, by a key of this process.
    digests: RandomState,
    asked: Mutex<Asked>,
    told: Mutex<VecDeque<(Explanation, Option<Place>)>>,
}

/// Where a request stands among all that were asked.
#[derive(Debug, Clone, Copy)]
pub struct Place(u64);

#[derive(Debug, Default)]
struct Asked {
    of_late: VecDeque<(Instant, Identity)>,
    /// The place of the first of these.
    first: u64,
}

impl Identity {
    /// Adds what all parts have in common. A name that is not plain is not shown.
    pub fn field(&mut self, name: &str, digest: u64) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        let plain = name.len() <= MOST && name.chars().all(is_plain);
        if self.fields.len() < MOST {
            self.fields.push((if plain { name } else { "?" }.to_owned(), digest));
        }
    }

    /// Adds something that is asked about.
    pub fn part(&mut self, digest: u64) {
        if self.parts.len() < MOST {
            let place = self.parts.partition_point(|part| *part <= digest);
            self.parts.insert(place, digest);
        }
    }

    /// How many of the parts are in another request too.
    fn shared(&self, other: &Self) -> usize {
        let mut others = other.parts.iter().peekable();
        let is_there = |part: &&u64| {
            while others.next_if(|other| other < part).is_some() {}
            others.peek() == Some(part)
        };
        self.parts.iter().filter(is_there).count()
    }

    fn against(&self, other: &Self, (shared, age): (usize, u64)) -> Nearest {
        let value = |fields: &[(String, u64)], name: &str| {
            fields.iter().find(|(known, _)| known == name).map_or(0, |(_, digest)| *digest)
        };
        let mut names: Vec<&String> =
            self.fields.iter().chain(&other.fields).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let differs = names.into_iter().filter_map(|name| {
            let (here, there) = (value(&self.fields, name), value(&other.fields, name));
            (here != there).then(|| (name.clone(), here, there))
        });
        Nearest { age, parts: (shared, self.parts.len()), differs: differs.collect() }
    }
}

impl Explained {
    /// The digest of a part of a request. The lengths of several are in it.
    pub fn digest(&self, bytes: impl IntoIterator<Item: AsRef<[u8]>>) -> u64 {
        let mut digest = self.digests.build_hasher();
        bytes.into_iter().for_each(|bytes| bytes.as_ref().hash(&mut digest));
        digest.finish()
    }

    /// Remembers a request.
    pub fn remember(&self, identity: Identity) -> Place {
        let mut asked = lock(&self.asked);
        if asked.of_late.len() == REMEMBERED {
            asked.of_late.pop_front();
            asked.first += 1;
        }
        asked.of_late.push_back((Instant::now(), identity));
        Place(asked.first + asked.of_late.len() as u64 - 1)
    }

    /// What was asked before a request that is most like it, by who shares its answer and by anybody.
    pub fn nearest(&self, Place(place): Place) -> (Option<Nearest>, Option<Nearest>) {
        let asked = lock(&self.asked);
        let before = place.checked_sub(asked.first).and_then(|at| usize::try_from(at).ok());
        let Some((before, (now, identity))) =
            before.and_then(|at| Some((at, asked.of_late.get(at)?)))
        else {
            return (None, None);
        };
        // Most have nothing in common with it, and cost no more than to see that.
        let alike = asked.of_late.iter().take(before).filter_map(|(when, other)| {
            let shared = identity.shared(other);
            let age = || now.saturating_duration_since(*when).as_secs();
            (shared > 0).then(|| (other.who, identity.against(other, (shared, age()))))
        });
        let all: Vec<_> = alike.collect();
        // Most parts in common, then least else that differs, then the last.
        let rank = |nearest: &Nearest| (nearest.parts.0, Reverse(nearest.differs.len()));
        let own = all.iter().filter(|(who, _)| *who == identity.who);
        let own = own.map(|(_, nearest)| nearest).max_by_key(|nearest| rank(nearest)).cloned();
        let any = all.into_iter().map(|(_, nearest)| nearest).max_by_key(rank);
        (own, any)
    }

    /// Keeps an explanation, and where its request stands if that is remembered.
    pub fn tell(&self, explanation: Explanation, place: Option<Place>) {
        let mut told = lock(&self.told);
        told.truncate(TOLD - 1);
        told.push_front((explanation, place));
    }

    /// What was explained of late, newest first.
    pub fn all(&self) -> Vec<Explanation> {
        let told = lock(&self.told).clone();
        let told = told.into_iter().map(|(explanation, place)| {
            let nearest = place.and_then(|place| self.nearest(place).1);
            Explanation { nearest, ..explanation }
        });
        told.collect()
    }
}

impl Explanation {
    /// Now.
    pub fn of(
        provider: &str,
        model: &str,
        (outcome, reason): (&'static str, &'static str),
    ) -> Self {
        Self {
            time: unix_seconds(),
            provider: provider.to_owned(),
            model: model.to_owned(),
            outcome,
            reason,
            rule: None,
            hits: 0,
            note: None,
            nearest: None,
        }
    }

    /// In a sentence.
    pub fn why(&self) -> String {
        let rule = self.rule.as_ref().map(|rule| format!(" (rule {rule})"));
        let note = self.note.as_ref().map(|note| format!("; {note}"));
        let (rule, note) = (rule.unwrap_or_default(), note.unwrap_or_default());
        format!("{}{rule}{note}", self.why_by_itself())
    }

    fn why_by_itself(&self) -> String {
        if !self.reason.is_empty() {
            return self.reason.to_owned();
        }
        let hits = self.hits;
        let Some(Nearest { age, parts: (shared, all), differs }) = &self.nearest else {
            return match self.outcome {
                "hit" => "found in the cache".to_owned(),
                _ => format!("first time: no similar request among the last {REMEMBERED} misses"),
            };
        };
        if hits > 0 && *shared <= hits {
            return format!("{hits} of {all} items were in the cache; the others are new");
        }
        let what = format!("{shared} of {all} items were requested {age} s ago");
        if differs.is_empty() {
            return format!(
                "{what} but have since expired, been evicted, purged or invalidated, were not cacheable, or are still in flight"
            );
        }
        let names: Vec<&str> = differs.iter().map(|(name, ..)| name.as_str()).collect();
        format!("{what}, with a different {}", names.join(", "))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(dimensions: u64, parts: &[u64]) -> Identity {
        let mut identity = Identity::default();
        identity.field("body.model", 1);
        identity.field("body.dimensions", dimensions);
        for part in parts {
            identity.part(*part);
        }
        identity
    }

    #[test]
    fn the_nearest_has_most_parts_in_common_and_then_differs_least() {
        let explained = Explained::default();
        let ask = |identity| explained.nearest(explained.remember(identity));
        assert_eq!(ask(identity(5, &[1, 2, 3])), (None, None));
        assert_eq!(ask(identity(5, &[7])), (None, None));
        let nearest = ask(identity(6, &[2, 3, 4])).0.unwrap();
        assert_eq!(nearest.parts, (2, 3));
        assert_eq!(nearest.differs, [("body.dimensions".to_owned(), 6, 5)]);
        let nearest = ask(identity(6, &[2])).0.unwrap();
        assert_eq!((nearest.parts, nearest.differs.len()), ((1, 1), 0));
        let (own, any) = ask(Identity { who: 1, ..identity(6, &[2]) });
        assert!(own.is_none() && any.is_some());
    }

    #[test]
    fn names_that_are_not_plain_are_not_shown_and_all_is_bounded() {
        let explained = Explained::default();
        for number in 0..1_000 {
            let mut identity = identity(number, &[1]);
            identity.field("a secret\n", 3);
            (0..1_000).for_each(|part| identity.part(part));
            assert!(identity.parts.len() == MOST && identity.fields[2].0 == "?");
            let place = explained.remember(identity);
            explained.tell(Explanation::of("p", "m", ("miss", "")), Some(place));
        }
        assert_eq!(lock(&explained.asked).of_late.len(), REMEMBERED);
        let all = explained.all();
        assert_eq!(all.len(), TOLD);
        // What was asked right before it is as near as anything.
        let differs = &all[TOLD - 1].nearest.as_ref().unwrap().differs;
        assert_eq!(*differs, [("body.dimensions".to_owned(), 900, 899)]);
    }
}
