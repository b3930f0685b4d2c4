//! The base names of models: without a date, a path, or the name of a fine-tuned copy.

/// The beginnings of the names of resources, before the name of the model.
const PATHS: &[&str] = &["models/", "publishers/google/models/", "accounts/fireworks/models/"];

/// A name in lower case and without the path of a resource.
pub(super) fn plain(model: &str) -> String {
    let name = model.to_ascii_lowercase();
    let path = PATHS.iter().find_map(|path| name.strip_prefix(path));
    path.map(str::to_owned).unwrap_or(name)
}

/// The name under which a model is sold that was fine-tuned from another one: `ft:BASE:ORG:NAME:ID` at
/// `OpenAI`, `BASE.ft-ID` at Azure. Its price is not that of the base.
pub(super) fn fine_tuned(model: &str) -> Option<String> {
    if let Some(rest) = model.strip_prefix("ft:") {
        return Some(format!("ft:{}", rest.split(':').next()?));
    }
    let (base, _) = model.split_once(".ft-")?;
    Some(format!("ft:{base}"))
}

/// A name without the date, or the number, of its version; `None` if it has none.
pub(super) fn undated(model: &str) -> Option<&str> {
    if let Some(name) = model.strip_suffix("-latest") {
        return Some(name);
    }
    if let Some((name, version)) = model.rsplit_once('@') {
        return is_digits(&version.replace('-', ""), 8).then_some(name);
    }
    let (name, last) = model.rsplit_once('-')?;
    if is_digits(last, 8) || is_digits(last, 3) {
        return Some(name);
    }
    let (name, month) = name.rsplit_once('-')?;
    let (name, year) = name.rsplit_once('-')?;
    (is_digits(last, 2) && is_digits(month, 2) && is_digits(year, 4)).then_some(name)
}

fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}
