//! What larder does with requests for a store (a provider of the dialect `generic`): routes in their
//! order, each with which requests it is for, and whether they read or write.

mod check;
mod path;

use std::time::Duration;

use http::Method;
use toml::de::{DeTable, DeValue};

pub use path::{Fit, RoutePath};

use super::read::{Key, Reader, Section, Table, section};
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
    /// What a request on it does.
    pub effect: Effect,
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
    /// Routes of a store, a provider of the `dialect` `generic`, in their order: the first that fits a request
    /// is taken. A request that none fits is passed on, and unless its method is GET, HEAD or OPTIONS all that is
    /// kept of the store is forgotten. None by default. See `config/STORES.md`.
    Written {
        /// `read` is a request that changes nothing: its answer is kept, and given to who asks the same
        /// meanwhile. `write` is one that may change what reads of its namespace say: they are forgotten
        /// before it goes out, and again when its answer comes.
        kind: Option<RouteKind> = "",
        /// The method. Without it, POST for a read, and for a write every method but GET, HEAD and OPTIONS.
        method: Option<Method> = "",
        /// The path below `base_url`: `{namespace}` is the segment that names what a write is to make forgotten,
        /// any other name in braces is any one segment, and `/*` at the end is whatever is below.
        path: Option<RoutePath> = "",
        /// Where in the body the namespace stands, where the path does not have it: a JSON Pointer to a text,
        /// such as `/namespace`. A read without one is forgotten by every write, and a write without one
        /// forgets all that is kept of the store.
        namespace: Option<Pointer> = "",
        /// How long the answer to a read is good, whoever else writes to the store.
        ttl: Option<Duration> = "",
        /// How long after its answer a write may not yet be seen by reads: what is read in that time is not
        /// kept. For stores that tell of a write before it is everywhere.
        settles: Option<Duration> = "",
    }
}

/// The routes of a provider as they are written; what is wrong with one is noted at its place.
pub(super) fn read(reader: &mut Reader<'_>, provider: &Table<'_>) -> Routes {
    let name = format!("{}.routes", provider.name);
    let Some(written) = provider.keys.and_then(|keys| keys.get("routes")) else {
        return Routes::default();
    };
    let DeValue::Array(items) = written.get_ref() else {
        let message = format!("is a list: write each route as [[{name}]]");
        reader.note(written.span(), name, message);
        return Routes::default();
    };
    let mut routes: Vec<Route> = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        let key = format!("{name}[{number}]");
        let DeValue::Table(keys) = item.get_ref() else {
            reader.note(item.span(), key, format!("is a route: write it as [[{name}]]"));
            continue;
        };
        let (wrong, written) = read_one(reader, &key, keys);
        match written.resolve(&routes) {
            Ok(route) => routes.push(route),
            // What could not be read is told of already.
            Err(_) if wrong => {}
            Err((part, message)) => reader.note(item.span(), format!("{key}.{part}"), message),
        }
    }
    Routes(routes)
}

/// A route's settings, and whether anything is wrong with them by themselves.
fn read_one(reader: &mut Reader<'_>, key: &str, keys: &DeTable<'_>) -> (bool, Written) {
    let before = reader.problems.len();
    let written = Written::read(reader, &Table { name: key.to_owned(), keys: Some(keys) });
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
}
