//! Purges: of everything, of one provider, of one of its models, or of those that match a glob.
//!
//! A purge does not look for entries. It raises a generation, and an entry that was stored under an
//! older one is not there any more, in whatever tier of whichever replica it lies. Generations only
//! rise, so that two lists of them are merged by taking the higher of each.

pub mod pattern;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use tokio::sync::watch;

use super::writes::Store;
use pattern::Pattern;

/// Models that are told apart; what comes beyond is purged together, provider by provider.
const MOST_SCOPES: usize = 4_096;

/// Purges by globs that are told apart; each further one purges everything.
const MOST_PATTERNS: usize = 256;

/// What is longer is no name of a model, and is one of the others: a scope lasts as long as the process.
const LONGEST_NAME: usize = 255;

/// The scope of a provider's models beyond those that are told apart; a purge of any of them reaches it.
pub(super) const OTHERS: &str = "*";

/// What a purge is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All entries.
    Everything,
    /// Those of one provider.
    Upstream(String),
    /// Those of one provider's model.
    Model(String, String),
    /// Those of every model that matches a glob, by its name or by a tag; of one provider or of one name,
    /// where these are given.
    Matching {
        /// The provider.
        upstream: Option<String>,
        /// The name of the model.
        model: Option<String>,
        /// The glob.
        glob: String,
    },
}

impl Reach {
    /// Its name in a list of generations. Names of providers have no slash.
    fn name(&self) -> String {
        match self {
            Self::Everything => String::new(),
            Self::Upstream(upstream) => upstream.clone(),
            Self::Model(upstream, model) => format!("{upstream}/{model}"),
            Self::Matching { upstream, model, glob } => {
                pattern::name(upstream.as_deref(), model.as_deref(), glob)
            }
        }
    }
}

/// The smallest thing that a purge can reach, with its generation.
#[derive(Debug)]
pub struct Scope {
    /// The provider's name.
    pub upstream: Box<str>,
    /// The model as the caller wrote it.
    pub model: Box<str>,
    pub(super) generation: AtomicU64,
    /// What a part of a store was written to; of no other scope there is any.
    pub(super) writes: AtomicU64,
}

impl Scope {
    pub(super) fn new(upstream: &str, model: &str, generation: u64) -> Self {
        let (generation, writes) = (AtomicU64::new(generation), AtomicU64::new(0));
        Self { upstream: upstream.into(), model: model.into(), generation, writes }
    }

    /// The scope as it is now.
    pub fn mark(&'static self) -> Mark {
        Mark { scope: self, generation: self.now() }
    }

    /// Both only rise, so that the sum is another one after a purge and after a write.
    fn now(&self) -> u64 {
        let writes = self.writes.load(Ordering::Acquire);
        self.generation.load(Ordering::Acquire).wrapping_add(writes)
    }
}

/// A scope at a moment: an entry's, which is good until the scope is purged.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// The scope.
    pub scope: &'static Scope,
    /// Its generation then.
    pub generation: u64,
}

impl Mark {
    /// Whether there was no purge since, and no write to its part of a store.
    pub fn holds(&self) -> bool {
        self.scope.now() == self.generation
    }
}

/// The generations by the names of what was purged, in microseconds since 1970 where clocks were right.
pub type Generations = HashMap<String, u64>;

/// All scopes, and what was purged so far.
pub struct Purges {
    state: RwLock<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    raised: Generations,
    /// The purges by globs among them, by their names.
    patterns: HashMap<String, Pattern>,
    /// By provider, then by model. They live as long as the process, and are bounded in number, so
    /// that every entry can point to its own without counting who does.
    scopes: HashMap<Box<str>, HashMap<Box<str>, &'static Scope>>,
    count: usize,
    /// By name; as many as the configuration has had.
    stores: HashMap<Box<str>, &'static Store>,
}

impl Purges {
    /// Nothing was purged.
    pub fn new() -> Self {
        Self { state: RwLock::default(), changed: watch::Sender::new(()) }
    }

    /// The scope of a provider's model.
    pub fn scope(&self, upstream: &str, model: &str) -> &'static Scope {
        let known = self.read().find(upstream, model);
        known.unwrap_or_else(|| self.write().add(upstream, model))
    }

    /// The scopes of a store.
    pub fn store(&self, upstream: &str) -> &'static Store {
        let known = self.read().stores.get(upstream).copied();
        known.unwrap_or_else(|| self.write().add_store(upstream))
    }

    /// Every store that was asked anything.
    pub fn stores(&self) -> Vec<&'static Store> {
        self.read().stores.values().copied().collect()
    }

    /// Purges.
    pub fn purge(&self, reach: &Reach) {
        let mut state = self.write();
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = since_epoch.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0));
        // Above every other, whatever the clock says, or a purge of a part of what was purged before
        // would change nothing.
        let above = state.raised.values().max().map_or(0, |highest| highest.saturating_add(1));
        state.raise(reach.name(), now.max(above));
        state.refresh();
        drop(state);
        self.changed.send_replace(());
    }

    /// Takes over what was purged elsewhere; whether anything was new.
    pub fn merge(&self, others: &Generations) -> bool {
        if !others.iter().any(|(name, generation)| self.read().is_new(name, *generation)) {
            return false;
        }
        let mut state = self.write();
        for (name, generation) in others {
            if state.is_new(name, *generation) {
                state.raise(name.clone(), *generation);
            }
        }
        state.refresh();
        drop(state);
        self.changed.send_replace(());
        true
    }

    /// What was purged so far.
    pub fn generations(&self) -> Generations {
        self.read().raised.clone()
    }

    /// Tells when something was purged.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Purges {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Purges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purges").field("raised", &self.read().raised).finish_non_exhaustive()
    }
}

impl State {
    fn find(&self, upstream: &str, model: &str) -> Option<&'static Scope> {
        self.scopes.get(upstream)?.get(model).copied()
    }

    fn add(&mut self, upstream: &str, model: &str) -> &'static Scope {
        let fits = self.count < MOST_SCOPES && model.len() <= LONGEST_NAME;
        let model = if fits { model } else { OTHERS };
        if let Some(scope) = self.find(upstream, model) {
            return scope;
        }
        let scope = Scope::new(upstream, model, self.generation(upstream, model));
        let scope: &'static Scope = Box::leak(Box::new(scope));
        self.scopes.entry(upstream.into()).or_default().insert(model.into(), scope);
        self.count += 1;
        scope
    }

    fn add_store(&mut self, upstream: &str) -> &'static Store {
        let generation = self.generation_of_store(upstream);
        let new = || &*Box::leak(Box::new(Store::new(upstream, generation)));
        self.stores.entry(upstream.into()).or_insert_with(new)
    }

    fn generation(&self, upstream: &str, model: &str) -> u64 {
        let prefix = format!("{upstream}/");
        let reaches = |name: &str| match name.strip_prefix(&prefix) {
            None if Pattern::is_name(name) => {
                self.patterns.get(name).is_some_and(|pattern| pattern.reaches(upstream, model))
            }
            None => name.is_empty() || name == upstream,
            Some(purged) => purged == model || model == OTHERS,
        };
        let raised = self.raised.iter().filter(|(name, _)| reaches(name));
        raised.map(|(_, generation)| *generation).max().unwrap_or(0)
    }

    /// A store is one provider, whose namespaces share a generation.
    fn generation_of_store(&self, upstream: &str) -> u64 {
        let prefix = format!("{upstream}/");
        let reaches = |name: &str| match self.patterns.get(name) {
            Some(pattern) => pattern.reaches_store(upstream),
            None => name.is_empty() || name == upstream || name.starts_with(&prefix),
        };
        let raised = self.raised.iter().filter(|(name, _)| reaches(name));
        raised.map(|(_, generation)| *generation).max().unwrap_or(0)
    }

    /// Raises the generation of a name.
    fn raise(&mut self, mut name: String, generation: u64) {
        if Pattern::is_name(&name) && !self.patterns.contains_key(&name) {
            if self.patterns.len() >= MOST_PATTERNS {
                name = Reach::Everything.name();
            } else if let Some(pattern) = Pattern::read(&name) {
                self.patterns.insert(name.clone(), pattern);
            }
        }
        let known = self.raised.entry(name).or_default();
        *known = generation.max(*known);
    }

    fn is_new(&self, name: &str, generation: u64) -> bool {
        // A pattern beyond the bound is known as a purge of everything.
        let is_full = self.patterns.len() >= MOST_PATTERNS;
        let is_beyond = Pattern::is_name(name) && is_full && !self.raised.contains_key(name);
        let name = if is_beyond { Reach::Everything.name() } else { name.to_owned() };
        self.raised.get(&name).is_none_or(|known| *known < generation)
    }

    fn refresh(&self) {
        for scope in self.scopes.values().flat_map(HashMap::values) {
            let generation = self.generation(&scope.upstream, &scope.model);
            scope.generation.store(generation, Ordering::Release);
        }
        for (upstream, store) in &self.stores {
            store.purged(self.generation_of_store(upstream));
        }
    }
}
