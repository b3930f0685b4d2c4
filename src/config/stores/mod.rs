//! Routes of a store, a provider of the dialect `generic`.

mod check;
mod path;

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use toml::de::DeValue;

pub use path::{Fit, RoutePath};

use super::read::{Key, Problem, Reader, Section, Table, section};
use super::rules::Pattern;
use super::units::Setting;
use super::words::RouteKind;

/// The dialect of a store.
pub const STORE: &str = "generic";

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// How it is asked; `None` is every method that may change something.
    pub method: Option<Method>,
    /// Where, below the base URL.
    pub path: RoutePath,
    /// Where in the body the namespace stands; `None` where it does not.
    pub namespace: Option<Pointer>,
    /// The condition on the body; `None` where every body fulfils it.
    pub body: Option<BodyTest>,
    /// What a request on it does.
    pub effect: Effect,
}

/// A condition on a text in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTest {
    /// The place of the text in the body.
    pub text: Pointer,
    /// An expression that must be found in it.
    matches: Option<Pattern>,
    /// An expression that must not be found in it.
    matches_not: Option<Pattern>,
}

impl BodyTest {
    /// Whether a text fulfils the condition.
    pub fn holds(&self, text: &str) -> bool {
        let is_found = |pattern: &Pattern| pattern.is_in(text);
        self.matches.as_ref().is_none_or(is_found)
            && !self.matches_not.as_ref().is_some_and(is_found)
    }
}

/// What a request does to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It reads, and its answer is good for so long.
    Read(Duration),
    /// It writes, and it may take so long until reads see that.
    Write(Duration),
}

/// The routes of a provider, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes(pub Vec<Route>);

/// A place in a body: a JSON Pointer (RFC 6901) through objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

section! {
    /// Routes of a store, a provider of the dialect `generic`, in this order: the first match is applied. A
    /// request without a match is relayed, and invalidates all entries of the store unless its method is
    /// GET, HEAD or OPTIONS. None by default. See `docs/STORES.md`.
    Written {
        /// `read`: the request changes nothing, and its response is cached. `write`: the request invalidates
        /// the cached reads of its namespace, before it is sent and again with its response.
        kind: Option<RouteKind> = "",
        /// HTTP method. Default: POST for a read; all but GET, HEAD and OPTIONS for a write.
        method: Option<Method> = "",
        /// Path below `base_url`. `{namespace}` is the segment with the namespace, any other name in braces
        /// matches one segment, and `/*` at the end matches any rest.
        path: Option<RoutePath> = "",
        /// JSON Pointer to the namespace in the body, such as `/namespace`, if the path does not have it. A
        /// read without a namespace is invalidated by every write; a write without one invalidates all reads.
        namespace: Option<Pointer> = "",
        /// JSON Pointer to a text in the body, such as `/statement`, for `matches` and `matches_not`: the route
        /// is only for requests whose text fulfils both. For stores that read and write on one path.
        body: Option<Pointer> = "",
        /// Regular expression that must be found in the text at `body`. `(?i)` ignores case.
        matches: Option<Pattern> = "",
        /// Regular expression that must not be found in the text at `body`.
        matches_not: Option<Pattern> = "",
        /// Lifetime of the response to a read.
        ttl: Option<Duration> = "",
        /// Time after its response in which a write may be invisible to reads. Reads in that time are not
        /// cached. For stores that acknowledge a write before it is visible.
        settles: Option<Duration> = "",
    }
}

/// The routes of a provider as they are written; what is wrong with one is noted at its place.
pub(super) fn read(reader: &mut Reader<'_>, provider: &Table<'_>) -> Routes {
    let name = format!("{}.routes", provider.name);
    let heading = format!("[[{}.routes]]", provider.heading.trim_matches(['[', ']']));
    let Some(written) = provider.keys.and_then(|keys| keys.get("routes")) else {
        return Routes::default();
    };
    let place = reader.place(written.span());
    reader.sources.note(&name, place);
    let DeValue::Array(items) = written.get_ref() else {
        let message = format!("is a list; write each route as {heading}");
        reader.note(written.span(), name, message);
        return Routes::default();
    };
    let mut routes: Vec<Route> = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        let table = Table {
            name: format!("{name}[{number}]"),
            heading: heading.clone(),
            keys: item.get_ref().as_table(),
        };
        if table.keys.is_none() {
            let message = format!("is a route; write it as {heading}");
            reader.note(item.span(), table.name, message);
            continue;
        }
        let place = reader.place(item.span());
        reader.sources.note(&table.name, place);
        let (wrong, written) = read_one(reader, &table);
        match written.resolve(&routes) {
            Ok(route) => routes.push(route),
            // A value that could not be read is a problem already.
            Err(_) if wrong => {}
            Err((part, message)) => {
                let key = format!("{}.{part}", table.name);
                let place = reader.sources.place(&key).to_owned();
                reader.problems.push(Problem { place, key, message });
            }
        }
    }
    Routes(routes)
}

/// A route's settings, and whether anything is wrong with them by themselves.
fn read_one(reader: &mut Reader<'_>, table: &Table<'_>) -> (bool, Written) {
    let before = reader.problems.len();
    let written = Written::read(reader, table);
    (reader.problems.len() > before, written)
}

impl Pointer {
    /// The names of the members that lead there.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl Setting for Pointer {
    const KIND: &'static str = "JSON Pointer";

    fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix('/').filter(|rest| !rest.is_empty());
        let rest = rest.ok_or_else(|| {
            format!("expected a JSON Pointer such as \"/namespace\", got {text:?}")
        })?;
        Ok(Self(rest.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

impl Setting for Routes {
    const KIND: &'static str = "list of routes";

    fn parse(_text: &str) -> Result<Self, String> {
        // Tables have no text form; see `read`.
        Ok(Self::default())
    }

    fn schema() -> Value {
        json!({ "type": "array" })
    }
}
