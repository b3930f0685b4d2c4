//! A request's head as the bytes that it is: the same again is the same, but for the length that it says.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use httparse::Status;

/// How many fields hyper takes.
const MOST_FIELDS: usize = 100;

/// A length of more digits is no body to wait for.
const MOST_DIGITS: usize = 8;

/// A head, without the digits of its `Content-Length`.
pub(super) struct Repeated {
    before: Box<[u8]>,
    after: Box<[u8]>,
}

/// What bytes are, to who knows a head.
pub(super) enum Seen<'b> {
    /// That head, and all of its body.
    Whole(&'b [u8]),
    /// Its beginning, and how much it will be in all.
    Part(usize),
    /// Something else, or more than one request.
    Other,
}

impl Repeated {
    /// The head that bytes begin with; nothing where it is not all there, is none, or says no length. What
    /// it says comes along where hyper would make the same of it.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, Option<Parts>)> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let Ok(Status::Complete(size)) = request.parse(bytes) else { return None };
        let mut lengths = request
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case("content-length"));
        let length = lengths.next().filter(|_| lengths.next().is_none())?.value;
        let head = bytes.get(..size)?;
        let at = (length.as_ptr() as usize).checked_sub(head.as_ptr() as usize)?;
        let (before, after) = (head.get(..at)?, head.get(at + length.len()..)?);
        Some((Self { before: before.into(), after: after.into() }, parts(&request)))
    }

    /// What bytes are that may be of this head.
    pub(super) fn of<'b>(&self, bytes: &'b [u8]) -> Seen<'b> {
        let least = self.before.len() + 1 + self.after.len();
        let Some(rest) = bytes.strip_prefix(&*self.before) else {
            let begins = self.before.starts_with(bytes);
            return if begins { Seen::Part(least) } else { Seen::Other };
        };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at(digits);
        if digits.len() > MOST_DIGITS {
            return Seen::Other;
        }
        let Some(body) = rest.strip_prefix(&*self.after) else {
            let begins = self.after.starts_with(rest);
            return if begins { Seen::Part(least) } else { Seen::Other };
        };
        let number = |length: usize, digit: &u8| length * 10 + usize::from(digit - b'0');
        let length = digits.iter().fold(0, number);
        match length.checked_sub(body.len()) {
            Some(0) if !digits.is_empty() => Seen::Whole(body),
            Some(missing) if !digits.is_empty() => Seen::Part(bytes.len() + missing),
            _ => Seen::Other,
        }
    }
}

/// What a head says; nothing where it asks for more than an answer to what follows it.
fn parts(read: &httparse::Request<'_, '_>) -> Option<Parts> {
    const NOT_HERE: [HeaderName; 4] =
        [header::EXPECT, header::UPGRADE, header::TRANSFER_ENCODING, header::CONTENT_ENCODING];
    if read.version != Some(1) {
        return None;
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(read.method?.as_bytes()).ok()?;
    parts.uri = read.path?.parse::<Uri>().ok()?;
    for field in read.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(field.value).ok()?;
        let stays = name != header::CONNECTION || field.value.eq_ignore_ascii_case(b"keep-alive");
        if NOT_HERE.contains(&name) || !stays {
            return None;
        }
        parts.headers.append(name, value);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\na: b\r\n\r\n";

    fn known() -> Repeated {
        Repeated::read(format!("{HEAD}hello").as_bytes()).unwrap().0
    }

    #[test]
    fn another_body_has_the_same_head() {
        let longer = HEAD.replace(": 5", ": 12");
        for (bytes, body) in [
            (format!("{HEAD}world"), "world"),
            (format!("{longer}hello, world"), "hello, world"),
            (HEAD.replace(": 5", ": 0"), ""),
        ] {
            assert!(
                matches!(known().of(bytes.as_bytes()), Seen::Whole(seen) if seen == body.as_bytes())
            );
        }
    }

    #[test]
    fn every_beginning_is_a_part_and_nothing_else_is() {
        let whole = format!("{}hello, world", HEAD.replace(": 5", ": 12"));
        for end in 0..whole.len() {
            let seen = known().of(&whole.as_bytes()[..end]);
            assert!(
                matches!(seen, Seen::Part(size) if size <= whole.len() && size > end.min(9)),
                "{end}"
            );
        }
        for other in [
            format!("{HEAD}world!"),
            format!("{HEAD}world{HEAD}"),
            HEAD.replace(": 5", ": "),
            HEAD.replace(": 5", ": -5"),
            HEAD.replace(": 5", ": 5 "),
            HEAD.replace(": 5", ": 123456789"),
            HEAD.replace("a: b", "a: c"),
            HEAD.replace("POST", "PUT"),
            "\r\n".to_owned() + HEAD,
        ] {
            assert!(matches!(known().of(other.as_bytes()), Seen::Other), "{other}");
        }
    }

    #[test]
    fn what_asks_for_more_than_an_answer_is_known_and_not_read() {
        let parts = |head: &str| Repeated::read(head.as_bytes()).map(|(_, parts)| parts.is_some());
        assert_eq!(parts(HEAD), Some(true));
        assert_eq!(parts(&HEAD.replace("a: b", "connection: Keep-Alive")), Some(true));
        for field in
            ["connection: close", "expect: 100-continue", "content-encoding: gzip", "upgrade: x"]
        {
            assert_eq!(parts(&HEAD.replace("a: b", field)), Some(false), "{field}");
        }
        assert_eq!(parts(&HEAD.replace("1.1", "1.0")), Some(false));
        for none in
            ["", "x", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"]
        {
            assert_eq!(parts(none), None, "{none}");
        }
        assert_eq!(parts(&HEAD.replace("a: b", "Content-Length: 5")), None);
        assert_eq!(parts(HEAD.trim_end()), None);
    }
}
