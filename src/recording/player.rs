//! Gives what was recorded. All files are read at the start, so that a bad one is found before anything
//! is asked; what is in them is read again when it is, so that memory does not grow with a recording.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::{Mutex, PoisonError};

use super::Question;
use super::embedding::Embedding;
use super::exchange::{Exchange, Told};
use super::folder::{self, Files, Folder};
use crate::key::{CacheKey, Digest};
use crate::vector::Vector;

/// How many models an error names.
const NAMED: usize = 5;

/// What was recorded.
#[derive(Debug)]
pub struct Player {
    folder: Folder,
    /// For each question from which time of asking on each of its answers is given.
    answers: HashMap<Digest, Vec<u32>>,
    inputs: HashSet<CacheKey>,
    /// How often each question was asked so far.
    asked: Mutex<HashMap<Digest, u32>>,
    /// The models of each provider, method and path.
    known: BTreeMap<Place, BTreeSet<String>>,
}

/// A provider, a method and a path.
type Place = (String, String, String);

/// What was recorded for a request's inputs.
#[derive(Debug)]
pub enum Found {
    /// A vector for each.
    All(Vec<Vector>),
    /// None for so many of them.
    Missing(usize),
}

impl Player {
    /// Reads all of a recording.
    pub(super) fn open(folder: Folder) -> io::Result<Self> {
        let Files { answers: files, inputs } = folder.files()?;
        let mut answers: HashMap<Digest, BTreeMap<u32, u32>> = HashMap::new();
        let mut known: BTreeMap<Place, BTreeSet<String>> = BTreeMap::new();
        for (question, number) in files {
            let (told, _) = folder::read(&folder.answer(&question, number), Exchange::read)?;
            answers.entry(question).or_default().insert(number, told.from);
            known.entry((told.provider, told.method, told.path)).or_default().insert(told.model);
        }
        for input in &inputs {
            let (told, _) = folder::read(&folder.input(input), Embedding::read)?;
            let place = (told.provider, "POST".to_owned(), told.path);
            known.entry(place).or_default().insert(told.model);
        }
        // Those of a question are numbered without a gap; what follows one is of no use.
        let in_order = |numbered: BTreeMap<u32, u32>| {
            let whole = (1..).zip(numbered).take_while(|(at, (number, _))| at == number);
            whole.map(|(_, (_, from))| from).collect::<Vec<u32>>()
        };
        let answers: HashMap<_, _> =
            answers.into_iter().map(|(question, all)| (question, in_order(all))).collect();
        tracing::info!(requests = answers.len(), inputs = inputs.len(), "replaying recordings");
        let (inputs, asked) = (inputs.into_iter().collect(), Mutex::default());
        Ok(Self { folder, answers, inputs, asked, known })
    }

    /// The answer to a question, in the order in which they were recorded, and the last one from then on.
    /// To be called where reading a file may take its time.
    pub fn answer(&self, question: &Digest) -> io::Result<Option<Told>> {
        let Some(all) = self.answers.get(question).filter(|all| !all.is_empty()) else {
            return Ok(None);
        };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let times = asked.entry(*question).or_default();
        *times = times.saturating_add(1);
        let number = all.iter().take_while(|from| **from <= *times).count().max(1);
        drop(asked);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let (_, told) = folder::read(&self.folder.answer(question, number), Exchange::read)?;
        Ok(Some(told))
    }

    /// The vectors of inputs. To be called where reading files may take its time.
    pub fn vectors(&self, keys: &[CacheKey]) -> io::Result<Found> {
        let missing = keys.iter().filter(|key| !self.inputs.contains(key)).count();
        if missing > 0 {
            return Ok(Found::Missing(missing));
        }
        let read = |key| Ok(folder::read(&self.folder.input(key), Embedding::read)?.1);
        Ok(Found::All(keys.iter().map(read).collect::<io::Result<_>>()?))
    }

    /// How a question differs from those that were recorded, in words that hold nothing of its text.
    pub fn differs(&self, question: &Question) -> String {
        let Question { provider, method, path, model, .. } = question;
        let place = (provider.clone(), method.to_string(), path.clone());
        let Some(models) = self.known.get(&place) else {
            return format!("{method} {path} of {provider} has no recording");
        };
        let of_model = |model: &String| {
            if model.is_empty() { String::new() } else { format!(" with model {model:?}") }
        };
        if models.contains(model) {
            return format!(
                "{method} {path} of {provider}{} is recorded, but with a different query or body",
                of_model(model)
            );
        }
        let others: Vec<String> =
            models.iter().take(NAMED).map(|model| format!("{model:?}")).collect();
        let more = if models.len() > NAMED { " and others" } else { "" };
        format!(
            "{method} {path} of {provider} is recorded with model {}{more}, not{}",
            others.join(", "),
            if model.is_empty() { " without a model".to_owned() } else { of_model(model) }
        )
    }
}
