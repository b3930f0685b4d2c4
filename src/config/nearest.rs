//! Unknown names, with the nearest known one.

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
