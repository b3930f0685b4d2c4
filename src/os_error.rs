//! Errors of the operating system in the words that people read.

use std::fmt::Display;

/// The beginning of the number that the standard library adds: `Connection refused (os error 111)`.
const CODE: &str = " (os error ";

/// An error of the system for a message: without its number, in lower case: `connection refused`.
pub fn plain(error: impl Display) -> String {
    let text = error.to_string();
    if text.contains(CODE) { without_capital(without_numbers(&text)) } else { text }
}

/// A text without the system's numbers.
pub fn without_numbers(text: &str) -> String {
    let Some(mut at) = text.find(CODE) else { return text.to_owned() };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let (before, code) = rest.split_at(at);
        let digits = code.get(CODE.len()..).unwrap_or_default();
        let end = digits.find(|c: char| !c.is_ascii_digit());
        out.push_str(before);
        let after = end.and_then(|end| digits.get(end..)?.strip_prefix(')'));
        if after.is_none() {
            out.push_str(CODE);
        }
        rest = after.unwrap_or(digits);
        match rest.find(CODE) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.push_str(rest);
    out
}

/// Begins in lower case, unless the first word is an abbreviation.
fn without_capital(mut text: String) -> String {
    let mut chars = text.chars();
    let is_word = chars.next().is_some_and(|c| c.is_ascii_uppercase())
        && chars.next().is_some_and(|c| c.is_ascii_lowercase());
    if is_word && let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_of_the_system_has_no_number() {
        assert_eq!(plain(io::Error::from_raw_os_error(111)), "connection refused");
        let file = format!("larder.toml: {}", io::Error::from_raw_os_error(2));
        assert_eq!(without_numbers(&file), "larder.toml: No such file or directory");
        assert_eq!(plain("a (os error 1): b (os error 2)."), "a: b.");
        for text in ["IO error", "Nothing (os error x) of it", "", "Late (os error 1"] {
            assert!(plain(text).eq_ignore_ascii_case(text), "{text}");
        }
    }
}
