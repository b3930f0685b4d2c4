//! Unknown names, with the nearest known one.

use super::environment::{PREFIX, PROVIDERS, capitals, provider_keys};

/// The known name that is nearest to an unknown one, if one is near.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), *candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len() / 2)
        .map(|(_, candidate)| candidate)
}

/// `unknown KIND`, with the nearest known name if one is near.
pub fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(candidate) => format!("unknown {kind}; did you mean `{candidate}`?"),
        None => format!("unknown {kind}; known are: {}", known.join(", ")),
    }
}

/// `unknown KIND "NAME"`, with the nearest known name if one is near.
pub(super) fn unknown_value(kind: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(candidate) => format!("unknown {kind} {name:?}; did you mean {candidate:?}?"),
        None => format!("unknown {kind} {name:?}; known are: {}", known.join(", ")),
    }
}

/// The known variable that an unknown one most likely means; none if no name is near. The common beginning
/// of all names does not count.
pub(super) fn nearest_variable(name: &str, known: &[&str]) -> Option<String> {
    if let Some(rest) = name.strip_prefix(PROVIDERS) {
        return provider_variable(rest);
    }
    let rest = name.strip_prefix(PREFIX)?;
    let near = |known: &&&str| known.strip_prefix(PREFIX).is_some_and(|known| is_near(rest, known));
    let nearest = known.iter().filter(near).min_by_key(|known| distance(name, known));
    nearest.map(|near| (*near).to_owned()).or_else(|| with_section(rest, known))
}

/// The variable of a provider whose key is misspelt: any name may be that of a provider.
fn provider_variable(rest: &str) -> Option<String> {
    let splits = rest.match_indices('_').map(|(at, _)| rest.split_at(at));
    let keys = splits.flat_map(|(name, key)| {
        let key = key.trim_start_matches('_');
        provider_keys().into_iter().map(move |known| (name, key, capitals(known.name)))
    });
    let near = keys.filter(|(name, key, known)| !name.is_empty() && is_near(key, known));
    let (name, _, key) = near.min_by_key(|(_, key, known)| distance(key, known))?;
    Some(format!("{PROVIDERS}{name}_{key}"))
}

/// The only variable that ends with a name, such as `LARDER_CACHE_MEMORY` for `MEMORY`.
fn with_section(rest: &str, known: &[&str]) -> Option<String> {
    let is_of = |known: &&&str| {
        let section = known.strip_suffix(rest).and_then(|before| before.strip_suffix('_'));
        section.is_some() && !known.starts_with(PROVIDERS)
    };
    let mut all = known.iter().filter(is_of);
    all.next().filter(|_| all.next().is_none()).map(|known| (*known).to_owned())
}

/// Whether at most a third of a name is misspelt.
fn is_near(name: &str, known: &str) -> bool {
    distance(name, known) * 3 <= name.len().max(known.len())
}

fn distance(name: &str, known: &str) -> usize {
    strsim::damerau_levenshtein(name, known)
}
