//! The message of a response that is a failure, for operators: in a provider's words, without secrets.
//!
//! It takes a head and the beginning of a body. It knows no provider: all of them use one of a few members.
//! The result is one line of at most [`LONGEST`] characters.

mod hidden;

use http::{HeaderMap, header};
use serde_json::Value;

pub use hidden::Hidden;

/// Bytes of a body that are looked at. Messages stand at the beginning of short bodies.
pub const LOOKED_AT: usize = 8 << 10;

/// Maximum length of a message, in characters.
pub const LONGEST: usize = 300;

/// Maximum length of a page's title, in characters.
const TITLE: usize = 80;

/// Maximum depth of nested members that a message is looked for in.
const DEEPEST: usize = 4;

/// The members that hold a message, or an object with one.
const MEMBERS: [&str; 7] =
    ["error", "message", "detail", "errors", "msg", "error_description", "title"];

/// The message of a failed response, or none where it tells nothing. `hidden` is left out of it.
pub fn message(headers: &HeaderMap, body: &[u8], hidden: &Hidden<'_>) -> Option<String> {
    let body = body.get(..LOOKED_AT).unwrap_or(body);
    if is_html(headers, body) {
        return Some(bounded(&hidden.left_out(&page(body))));
    }
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(value) => found(&value, 0)?,
        // The end of a long body is missing, and so the end of its JSON.
        Err(_) if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) => return None,
        Err(_) => String::from_utf8(body.to_vec()).ok()?,
    };
    let text = bounded(&hidden.left_out(&text));
    (!text.is_empty()).then_some(text)
}

/// Whether a response is a page for people, as proxies and captive portals answer.
pub fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let begins = |word: &[u8]| {
        let body = body.trim_ascii_start();
        body.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
    };
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
        || begins(b"<!doctype html")
        || begins(b"<html")
}

/// The sentence for a page: an API never answers with one.
pub fn page(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..LOOKED_AT).unwrap_or(body));
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|at| {
        let from = at + lower.get(at..)?.find('>')? + 1;
        let to = from + lower.get(from..)?.find("</title")?;
        text.get(from..to).map(|title| one_line(title).chars().take(TITLE).collect::<String>())
    });
    let titled = title
        .filter(|title| !title.is_empty())
        .map(|title| format!(" titled \"{title}\""))
        .unwrap_or_default();
    format!(
        "an HTML page{titled} instead of an API response: a proxy, a firewall or another server \
         answers for the provider"
    )
}

/// The message in a JSON value.
fn found(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(list) if depth < DEEPEST => found(list.first()?, depth + 1),
        Value::Object(members) if depth < DEEPEST => {
            MEMBERS.iter().find_map(|name| found(members.get(*name)?, depth + 1))
        }
        _ => None,
    }
}

/// A text in one line, without control characters, cut at the bound.
fn bounded(text: &str) -> String {
    let text = one_line(text);
    let Some((end, _)) = text.char_indices().nth(LONGEST) else { return text };
    format!("{}…", text.get(..end).unwrap_or_default())
}

fn one_line(text: &str) -> String {
    let is_break = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    text.split(is_break).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Characters that break or reorder a line in some terminals.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &'static str, body: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        message(&headers, body.as_bytes(), &Hidden::default())
    }

    #[test]
    fn every_provider_s_form_of_a_message_is_found() {
        for (body, message) in [
            (r#"{"error":{"message":"no such key","type":"x","code":"y"}}"#, "no such key"),
            (r#"{"type":"error","error":{"type":"t","message":"a b"}}"#, "a b"),
            (r#"[{"error":{"code":400,"message":"API key not valid."}}]"#, "API key not valid."),
            (r#"{"message":"invalid api token"}"#, "invalid api token"),
            (r#"{"detail":"Unauthorized"}"#, "Unauthorized"),
            (
                r#"{"detail":[{"loc":["body"],"msg":"field required","input":"x"}]}"#,
                "field required",
            ),
            (r#"{"error":"model not found"}"#, "model not found"),
            ("upstream connect error\n  or disconnect", "upstream connect error or disconnect"),
        ] {
            assert_eq!(said("application/json", body).as_deref(), Some(message), "{body}");
        }
        for nothing in ["", "{}", "{\"error\":{}}", "{\"error\":{\"message\":\"cut", "[]", "null"] {
            assert_eq!(said("application/json", nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_message_is_one_short_line() {
        let long = format!("{{\"message\":\"a\\r\\nb\\u001b[31m {}\"}}", "ü".repeat(1_000));
        let text = said("application/json", &long).unwrap();
        assert!(text.starts_with("a b [31m ü") && text.ends_with("ü…"), "{text}");
        assert_eq!(text.chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_page_is_called_a_page() {
        let page = "<html><head><TITLE>Access\n denied</TITLE></head></html>";
        let text = said("text/html; charset=utf-8", page).unwrap();
        assert!(text.starts_with("an HTML page titled \"Access denied\" instead of"), "{text}");
        assert!(
            said("text/plain", " <!DOCTYPE html><p>").unwrap().starts_with("an HTML page instead")
        );
    }
}
