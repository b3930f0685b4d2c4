//! What is asked: each request is a function of seed, round and number, so that every target is asked the
//! same, and a run can be repeated.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::chance::Chance;
use super::question::{Form, Input, Question};
use super::text;
use super::zipf::Zipf;

/// Inputs of a list in the mixed workload.
const LIST: usize = 8;
/// Inputs of a list before the clock starts; the least that a provider takes by default is 32.
const WARMING_LIST: usize = 32;
/// The round before the clock starts.
pub(crate) const WARMING: u32 = 0;

/// The kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Texts that were asked for before the clock started
    Hit,
    /// Known and new texts, lists of both, and lists with the same text twice
    Mixed,
    /// Always new texts
    Miss,
    /// The same new text from every connection within 10 ms, again and again
    Burst,
    /// Texts of a catalogue, a few often and most seldom, from a cold start
    Zipf,
    /// Chat completions, streamed, each with a new question
    Stream,
    /// The mixed workload, with an eye on the target's memory; for a long --duration
    Soak,
}

impl Kind {
    /// Whether every text of the catalogue is asked for before the clock starts.
    pub(crate) fn is_warm(self) -> bool {
        matches!(self, Self::Hit | Self::Mixed | Self::Soak)
    }

    /// As it is called on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Mixed => "mixed",
            Self::Miss => "miss",
            Self::Burst => "burst",
            Self::Zipf => "zipf",
            Self::Stream => "stream",
            Self::Soak => "soak",
        }
    }
}

/// The work of a run.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) kind: Kind,
    pub(crate) form: Form,
    pub(crate) catalogue: Arc<Catalogue>,
    zipf: Zipf,
    seed: u64,
    /// Inputs of a request.
    inputs: usize,
    /// Clients of a burst.
    crowd: u64,
}

/// How large the work is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) seed: u64,
    /// Inputs of a request.
    pub(crate) inputs: usize,
    /// Clients of a burst.
    pub(crate) crowd: u64,
    /// Of the texts' frequencies.
    pub(crate) skew: f64,
}

/// Which part of the run a request belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) target: usize,
    pub(crate) round: u32,
}

impl Workload {
    /// Work of a kind.
    pub(crate) fn new(kind: Kind, form: Form, catalogue: Catalogue, size: Size) -> Self {
        // The other workloads draw evenly.
        let skew = if kind == Kind::Zipf { size.skew } else { 0.0 };
        let (zipf, Size { seed, inputs, crowd, .. }) = (Zipf::new(catalogue.len(), skew), size);
        Self { kind, form, catalogue: Arc::new(catalogue), zipf, seed, inputs, crowd }
    }

    /// The request of a number.
    pub(crate) fn question(&self, part: Part, number: u64) -> Question {
        if part.round == WARMING {
            return self.warming(number);
        }
        let stream = (u64::from(part.round) << 48) ^ number;
        let mut chance = Chance::of(self.seed ^ 0xa5ce, stream);
        if self.kind == Kind::Stream {
            return self.form.stream(self.new_text(part, number, 0));
        }
        let inputs = match self.kind {
            Kind::Hit | Kind::Zipf => self.known(&mut chance, self.inputs),
            Kind::Miss => self.fresh(part, number, self.inputs),
            Kind::Burst => {
                let text = self.new_text(part, number / self.crowd, 0);
                vec![Input::New { text, first: number.is_multiple_of(self.crowd) }]
            }
            _ => self.mixed(&mut chance, part, number),
        };
        self.form.embed(&self.catalogue, inputs)
    }

    /// How many requests ask for the whole catalogue, in the round before the clock starts.
    pub(crate) fn warmings(&self) -> u64 {
        self.catalogue.len().div_ceil(WARMING_LIST) as u64
    }

    fn warming(&self, number: u64) -> Question {
        let first = number as usize * WARMING_LIST;
        let places = first..(first + WARMING_LIST).min(self.catalogue.len());
        self.form.embed(&self.catalogue, places.map(Input::Known).collect())
    }

    fn mixed(&self, chance: &mut Chance, part: Part, number: u64) -> Vec<Input> {
        match chance.below(20) {
            0..12 => self.known(chance, self.inputs),
            12..16 => self.fresh(part, number, self.inputs),
            16..19 => {
                let mut list = self.known(chance, LIST / 2);
                list.extend(self.fresh(part, number, LIST / 2));
                list
            }
            _ => {
                let mut list = self.fresh(part, number, LIST / 2);
                let again = list.iter().map(|input| match input {
                    Input::New { text, .. } => Input::New { text: text.clone(), first: false },
                    Input::Known(place) => Input::Known(*place),
                });
                list.extend(again.collect::<Vec<_>>());
                list
            }
        }
    }

    fn known(&self, chance: &mut Chance, count: usize) -> Vec<Input> {
        (0..count).map(|_| Input::Known(self.zipf.draw(chance))).collect()
    }

    fn fresh(&self, part: Part, number: u64, count: usize) -> Vec<Input> {
        let text = |place| Input::New { text: self.new_text(part, number, place), first: true };
        (0..count).map(text).collect()
    }

    /// A text that no other request has, not even another target's: one may stand before the other.
    fn new_text(&self, part: Part, number: u64, place: usize) -> String {
        let Part { target, round } = part;
        let words = text::of(self.seed, (1 << 40) | number);
        format!("new {:016x}-{target}-{round}-{number}-{place} {words}", self.seed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::question::Encoding;
    use super::*;

    const PART: Part = Part { target: 0, round: 1 };

    fn work(kind: Kind) -> Workload {
        let form = Form { model: "m".to_owned(), dimensions: None, encoding: Encoding::Base64 };
        let size = Size { seed: 1, inputs: 2, crowd: 4, skew: 1.0 };
        Workload::new(kind, form, Catalogue::made_up(1, 50), size)
    }

    #[test]
    fn a_request_is_the_same_whenever_it_is_made() {
        for kind in [Kind::Hit, Kind::Mixed, Kind::Miss, Kind::Burst, Kind::Zipf, Kind::Stream] {
            let bodies = || (0..100).map(|n| work(kind).question(PART, n).body).collect::<Vec<_>>();
            assert_eq!(bodies(), bodies(), "{kind:?}");
        }
    }

    #[test]
    fn known_texts_are_the_same_for_all_targets_and_new_ones_differ() {
        let other = Part { target: 1, round: 1 };
        let later = Part { target: 0, round: 2 };
        let body = |kind, part| work(kind).question(part, 7).body;
        assert_eq!(body(Kind::Zipf, PART), body(Kind::Zipf, other));
        assert_ne!(body(Kind::Zipf, PART), body(Kind::Zipf, later));
        let new: HashSet<_> = [PART, other, later].map(|part| body(Kind::Miss, part)).into();
        assert_eq!(new.len(), 3);
        assert!(new.iter().all(|body| body.len() == body_length(&new)));
    }

    fn body_length(bodies: &HashSet<bytes::Bytes>) -> usize {
        bodies.iter().map(bytes::Bytes::len).max().unwrap()
    }

    #[test]
    fn a_burst_is_one_text_and_only_its_first_is_new() {
        let work = work(Kind::Burst);
        let texts: Vec<Input> =
            (0..8).flat_map(|number| work.question(PART, number).inputs).collect();
        let firsts = texts.iter().filter(|input| matches!(input, Input::New { first: true, .. }));
        assert_eq!(firsts.count(), 2);
        let different: HashSet<_> = texts.iter().map(|text| text.text(&work.catalogue)).collect();
        assert_eq!(different.len(), 2);
    }

    #[test]
    fn the_mixed_workload_has_every_kind_of_list() {
        let work = work(Kind::Mixed);
        let requests: Vec<Vec<Input>> =
            (0..400).map(|number| work.question(PART, number).inputs).collect();
        let count = |wanted: &dyn Fn(&[Input]) -> bool| {
            requests.iter().filter(|inputs| wanted(inputs)).count()
        };
        let is_known = |input: &Input| matches!(input, Input::Known(_));
        let is_again = |input: &Input| matches!(input, Input::New { first: false, .. });
        assert!(count(&|inputs| inputs.iter().all(is_known)) > 180);
        assert!(count(&|inputs| !inputs.iter().any(is_known)) > 60);
        assert!(count(&|inputs| inputs.len() == LIST && inputs.iter().any(is_known)) > 30);
        assert!(count(&|inputs| inputs.iter().any(is_again)) > 8);
    }

    #[test]
    fn warming_asks_for_every_text_once() {
        let work = work(Kind::Hit);
        let before = Part { target: 0, round: WARMING };
        let lists = (0..work.warmings()).map(|number| work.question(before, number));
        let asked: Vec<Input> = lists.flat_map(|list| list.inputs).collect();
        assert!(asked.into_iter().eq((0..50).map(Input::Known)));
    }
}
