//! Whether an answer is right.

mod first;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use larder::simulate::oracle;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::catalogue::Catalogue;
use super::question::{Form, Input, messages};
use super::reply;
use super::trouble::Trouble;
use first::First;

/// What answers are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Verify {
    /// What the simulated provider has to say, computed again
    Oracle,
    /// The first answer to each text of the catalogue: a hit bit for bit, others by their cosine
    First,
    /// Nothing
    Off,
}

impl Verify {
    /// As it is called on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Oracle => "oracle",
            Self::First => "first",
            Self::Off => "off",
        }
    }
}

/// What is known of the right answers.
#[derive(Debug)]
pub(crate) enum Truth {
    /// They can be computed.
    Oracle(Oracle),
    /// They are what was said first.
    First(First),
    /// Nothing.
    Unknown,
}

/// What a look at the answers found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) checked: u64,
    pub(crate) wrong: u64,
}

/// Who answered, and whether he says that it was stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) target: usize,
    pub(crate) hit: bool,
}

/// The simulated provider's answers.
#[derive(Debug)]
pub(crate) struct Oracle {
    model: String,
    dimensions: usize,
    /// Digests of the catalogue's vectors, as they are needed.
    right: Vec<OnceLock<u128>>,
    /// The last whole answer to each text alone that was right, as a digest: a cache gives the same bytes again,
    /// and reading them again would cost the harness more than everything else that it does with them.
    bodies: Vec<AtomicU64>,
    catalogue: Arc<Catalogue>,
}

impl Truth {
    /// The simulated provider's answers in a form, of so many dimensions.
    pub(crate) fn oracle(form: &Form, dimensions: usize, catalogue: Arc<Catalogue>) -> Self {
        let right = (0..catalogue.len()).map(|_| OnceLock::new()).collect();
        let bodies = (0..catalogue.len()).map(|_| AtomicU64::new(0)).collect();
        let model = form.model.clone();
        Self::Oracle(Oracle { model, dimensions, right, bodies, catalogue })
    }

    /// What so many targets say first to each of so many texts.
    pub(crate) fn first(texts: usize, targets: usize, tolerance: f64) -> Self {
        Self::First(First::new(texts, targets, tolerance))
    }

    /// What answers are held against.
    pub(crate) fn verify(&self) -> Verify {
        match self {
            Self::Oracle(_) => Verify::Oracle,
            Self::First(_) => Verify::First,
            Self::Unknown => Verify::Off,
        }
    }

    /// Reads an answer and holds it against what it should be.
    pub(crate) fn read(
        &self,
        source: Source,
        inputs: &[Input],
        body: &[u8],
    ) -> Result<Found, Trouble> {
        let known = match (self, inputs) {
            (Self::Oracle(oracle), [Input::Known(place)]) => oracle.bodies.get(*place),
            _ => None,
        };
        let Some(known) = known else {
            return Ok(self.judge(source, inputs, &reply::vectors(body, inputs.len())?));
        };
        let digest = xxh3_64(body);
        if known.load(Ordering::Relaxed) == digest {
            return Ok(Found { checked: 1, wrong: 0 });
        }
        let found = self.judge(source, inputs, &reply::vectors(body, 1)?);
        if found.wrong == 0 {
            known.store(digest, Ordering::Relaxed);
        }
        Ok(found)
    }

    /// Holds vectors against what they should be.
    fn judge(&self, source: Source, inputs: &[Input], vectors: &[Vec<u8>]) -> Found {
        let mut found = Found::default();
        for (input, vector) in inputs.iter().zip(vectors) {
            let right = match self {
                Self::Oracle(oracle) => Some(xxh3_128(vector) == oracle.right(input)),
                Self::First(first) => match input {
                    Input::Known(place) => first.judge(source, *place, vector),
                    Input::New { .. } => None,
                },
                Self::Unknown => None,
            };
            found.checked += u64::from(right.is_some());
            found.wrong += u64::from(right == Some(false));
        }
        found
    }

    /// Holds a model's words against what they should be.
    pub(crate) fn judge_words(&self, question: &str, words: &str) -> Found {
        let Self::Oracle(oracle) = self else { return Found::default() };
        Found { checked: 1, wrong: u64::from(!are_right(&oracle.model, question, words)) }
    }
}

impl Oracle {
    fn right(&self, input: &Input) -> u128 {
        let compute = || {
            let text = oracle::Input::Text(input.text(&self.catalogue));
            xxh3_128(&bytes(&oracle::vector(&self.model, self.dimensions, text)))
        };
        let known = match input {
            Input::Known(place) => self.right.get(*place),
            Input::New { .. } => None,
        };
        known.map_or_else(compute, |known| *known.get_or_init(compute))
    }
}

/// Whether it is as the simulated provider would say.
pub(crate) fn is_simulated(model: &str, text: &str, vector: &[u8]) -> bool {
    bytes(&oracle::vector(model, vector.len() / 4, oracle::Input::Text(text))) == vector
}

/// Whether words are the simulated provider's, however many it was told to say.
pub(crate) fn are_right(model: &str, question: &str, words: &str) -> bool {
    let seed = oracle::chat_seed(model, &messages(question));
    oracle::words(seed, words.split(' ').count()).concat() == words
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::question::Encoding;
    use super::*;

    #[test]
    fn one_bit_makes_a_vector_wrong() {
        let catalogue = Arc::new(Catalogue::made_up(1, 3));
        let form = Form { model: "m".to_owned(), dimensions: None, encoding: Encoding::Float };
        let truth = Truth::oracle(&form, 4, Arc::clone(&catalogue));
        let inputs = [Input::Known(2), Input::New { text: "new".to_owned(), first: true }];
        let vector = |input: &Input| {
            bytes(&oracle::vector("m", 4, oracle::Input::Text(input.text(&catalogue))))
        };
        let mut vectors: Vec<Vec<u8>> = inputs.iter().map(vector).collect();
        let source = Source { target: 0, hit: false };
        assert_eq!(truth.judge(source, &inputs, &vectors), Found { checked: 2, wrong: 0 });
        vectors[1][5] ^= 1;
        assert_eq!(truth.judge(source, &inputs, &vectors), Found { checked: 2, wrong: 1 });
        vectors[0].truncate(8);
        assert_eq!(truth.judge(source, &inputs, &vectors), Found { checked: 2, wrong: 2 });
    }

    #[test]
    fn the_same_answer_is_right_again_and_another_is_read() {
        let catalogue = Arc::new(Catalogue::made_up(1, 2));
        let form = Form { model: "m".to_owned(), dimensions: None, encoding: Encoding::Float };
        let truth = Truth::oracle(&form, 2, Arc::clone(&catalogue));
        let source = Source { target: 0, hit: true };
        let body = |text| {
            let vector = oracle::vector("m", 2, oracle::Input::Text(text));
            format!(r#"{{"data":[{{"index":0,"embedding":{vector:?}}}]}}"#)
        };
        let read = |place, body: &str| truth.read(source, &[Input::Known(place)], body.as_bytes());
        let right = body(catalogue.text(0));
        for _ in 0..2 {
            assert_eq!(read(0, &right), Ok(Found { checked: 1, wrong: 0 }));
            assert_eq!(read(1, &right), Ok(Found { checked: 1, wrong: 1 }));
            assert_eq!(read(0, &body("another")), Ok(Found { checked: 1, wrong: 1 }));
            assert_eq!(read(0, ""), Err(Trouble::Malformed));
        }
    }

    #[test]
    fn words_are_right_whatever_their_number_and_no_others() {
        let seed = oracle::chat_seed("m", &messages("q"));
        for count in [1, 5] {
            assert!(are_right("m", "q", &oracle::words(seed, count).concat()));
        }
        assert!(!are_right("m", "other", &oracle::words(seed, 5).concat()));
        assert!(!are_right("m", "q", ""));
    }
}
