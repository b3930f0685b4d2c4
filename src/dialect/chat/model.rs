//! Where a request names its model, and the same request for another one.

use super::super::json::{Members, write_text};
use super::ChatShape;

/// A request as it is sent for another model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// Where below the base URL.
    pub path_and_query: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The same request for another model: every byte but those of the model's name is as it was. `None`
/// where it names none, or where a path cannot name this one.
pub fn renamed(
    shape: &dyn ChatShape,
    (path_and_query, body): (&str, &[u8]),
    model: &str,
) -> Option<Renamed> {
    let (path, query) =
        path_and_query.find('?').map_or((path_and_query, ""), |at| path_and_query.split_at(at));
    let in_path = match shape.model_in(path) {
        Some(name) => {
            let name_at = name.as_ptr().addr() - path.as_ptr().addr();
            is_segment(model).then_some(())?;
            let (before, after) = (path.get(..name_at)?, path.get(name_at + name.len()..)?);
            Some(format!("{before}{model}{after}{query}"))
        }
        None => None,
    };
    let in_body = named(body, model);
    if in_path.is_none() && in_body.is_none() {
        return None;
    }
    Some(Renamed {
        path_and_query: in_path.unwrap_or_else(|| path_and_query.to_owned()),
        body: in_body.unwrap_or_else(|| body.to_vec()),
    })
}

/// The body with another name in the place of its model's.
fn named(body: &[u8], model: &str) -> Option<Vec<u8>> {
    let Members(members) = serde_json::from_slice(body).ok()?;
    let (_, value) = members.iter().find(|(name, _)| name == "model")?;
    let at = value.get().as_ptr().addr() - body.as_ptr().addr();
    let mut out = Vec::with_capacity(body.len() + model.len());
    out.extend(body.get(..at)?);
    write_text(&mut out, model);
    out.extend(body.get(at + value.get().len()..)?);
    Some(out)
}

/// Whether a name can stand in a path as it is.
fn is_segment(model: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'@');
    !model.is_empty() && !model.starts_with('.') && model.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::super::shape;
    use super::*;

    fn sent(dialect: &str, path: &str, body: &str) -> Option<(String, String)> {
        let endpoint = path.split('?').next().unwrap();
        let shape = shape(dialect, &Method::POST, endpoint).unwrap();
        let renamed = renamed(shape, (path, body.as_bytes()), "new-1")?;
        Some((renamed.path_and_query, String::from_utf8(renamed.body).unwrap()))
    }

    #[test]
    fn no_other_byte_changes() {
        let path = "/chat/completions";
        for (body, right) in [
            (r#"{"model":"old"}"#, r#"{"model":"new-1"}"#),
            (
                "{ \"x\":1.0,\r\n\"mod\\u0065l\" : \"o\\\"ld\" , \"y\":\"model\\ud800\"}",
                "{ \"x\":1.0,\r\n\"mod\\u0065l\" : \"new-1\" , \"y\":\"model\\ud800\"}",
            ),
            (
                r#"{"messages":[{"model":"a"}],"model":null}"#,
                r#"{"messages":[{"model":"a"}],"model":"new-1"}"#,
            ),
        ] {
            assert_eq!(sent("openai", path, body), Some((path.to_owned(), right.to_owned())));
        }
        for none in ["{}", r#"{"model":"a","model":"b"}"#, "[]", ""] {
            assert_eq!(sent("openai", path, none), None, "{none}");
        }
    }

    #[test]
    fn a_model_in_the_path_is_renamed_there() {
        let gemini = "/models/old:streamGenerateContent?alt=sse&x=/models/old:y";
        let right = "/models/new-1:streamGenerateContent?alt=sse&x=/models/old:y";
        assert_eq!(sent("gemini", gemini, "{}"), Some((right.to_owned(), "{}".to_owned())));
        let azure = "/openai/deployments/old/chat/completions?api-version=1";
        let right = "/openai/deployments/new-1/chat/completions?api-version=1";
        let (path, body) = sent("azure", azure, r#"{"model":"old"}"#).unwrap();
        assert_eq!((path.as_str(), body.as_str()), (right, r#"{"model":"new-1"}"#));
        let shape = shape("gemini", &Method::POST, "/models/old:generateContent").unwrap();
        for name in ["a/b", "a?b", "..", "", "a:b", "a%2fb"] {
            assert_eq!(renamed(shape, (gemini, b"{}"), name), None, "{name}");
        }
    }
}
