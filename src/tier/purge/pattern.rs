//! Purges by a glob: of every model whose name, or one of whose tags, matches.
//!
//! Such a purge raises a generation as any other does, so that it reaches memory, disk, Redis and every
//! replica. Its name in the list of generations has the filters, so that each process compiles the glob
//! itself.

use globset::{GlobBuilder, GlobMatcher};

use super::OTHERS;
use crate::metrics::Operation;

/// The longest glob, in bytes. No model has a longer name, and the size of what is compiled is bounded by it.
pub const LONGEST: usize = 512;

/// The beginning of the name. No provider has such a name.
const MARK: char = '~';

/// The scopes of a purge by a glob.
#[derive(Debug)]
pub struct Pattern {
    upstream: Option<String>,
    model: Option<String>,
    glob: GlobMatcher,
}

/// A glob, in which `*` crosses slashes: names of models have them. An error says what is wrong.
pub fn glob(text: &str) -> Result<GlobMatcher, String> {
    if text.is_empty() || text.len() > LONGEST {
        return Err(format!("expected 1 to {LONGEST} bytes"));
    }
    let glob = GlobBuilder::new(text).literal_separator(false).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| error.to_string())
}

/// The tag of the entries of an operation.
pub fn tag(upstream: &str, model: &str, operation: Operation) -> String {
    format!("{upstream}/{model}/{}", operation.label())
}

/// The name of a purge in the list of generations.
pub(super) fn name(upstream: Option<&str>, model: Option<&str>, glob: &str) -> String {
    let mut filters = form_urlencoded::Serializer::new(MARK.to_string());
    filters.extend_pairs(upstream.map(|name| ("provider", name)));
    filters.extend_pairs(model.map(|name| ("model", name)));
    filters.append_pair("match", glob);
    filters.finish()
}

impl Pattern {
    /// Whether a name in the list of generations is that of a pattern.
    pub(super) fn is_name(name: &str) -> bool {
        name.starts_with(MARK)
    }

    /// Reads a name. `None` if it is none: a later version may have other filters.
    pub(super) fn read(name: &str) -> Option<Self> {
        let (mut upstream, mut model, mut like) = (None, None, None);
        for (filter, value) in form_urlencoded::parse(name.strip_prefix(MARK)?.as_bytes()) {
            match &*filter {
                "provider" => upstream = Some(value.into_owned()),
                "model" => model = Some(value.into_owned()),
                "match" => like = Some(glob(&value).ok()?),
                _ => return None,
            }
        }
        Some(Self { upstream, model, glob: like? })
    }

    /// Whether a purge by this pattern reaches a scope. One that many models share is always reached.
    pub(super) fn reaches(&self, upstream: &str, model: &str) -> bool {
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == name)
        };
        let matches = || {
            let tags = [Operation::Embed, Operation::Chat];
            self.glob.is_match(model)
                || tags.iter().any(|operation| self.glob.is_match(tag(upstream, model, *operation)))
        };
        is(&self.upstream, upstream) && (model == OTHERS || (is(&self.model, model) && matches()))
    }

    /// Whether it reaches a store: if it names it, or matches whatever it has.
    pub(super) fn reaches_store(&self, upstream: &str) -> bool {
        let is_named = self.upstream.as_ref().is_some_and(|wanted| wanted == upstream);
        let matches = || self.glob.is_match(tag(upstream, "", Operation::Chat));
        is_named || (self.upstream.is_none() && self.model.is_none() && matches())
    }
}
