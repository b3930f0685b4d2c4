//! The cases of `cases.txt`.

use std::collections::HashMap;

use super::Way;
use crate::harness::Ask;

/// A case.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) family: &'static str,
    pub(super) outcome: Outcome,
    pub(super) name: &'static str,
    text: &'static str,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Refused(Option<String>),
    Accepted,
    Neutral { with: Vec<String>, without: Vec<String> },
    Exact(usize),
}

impl Case {
    /// What is sent, with an input of its own.
    pub(super) fn bytes(&self, ask: &Ask) -> Vec<u8> {
        let body = String::from_utf8(ask.body()).unwrap();
        let begin = "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
        let names = HashMap::from([
            ("{H}", "host: x\r\n".to_owned()),
            ("{J}", "content-type: application/json\r\n".to_owned()),
            ("{P}", begin.to_owned()),
            ("{n}", body.len().to_string()),
            ("{x}", format!("{:x}", body.len())),
            ("{E}", body),
        ]);
        let mut out = Vec::new();
        let mut rest = self.text;
        while !rest.is_empty() {
            if let Some(repeat) = rest.strip_prefix("{*") {
                let (repeated, after) = repeat.split_once("*}").unwrap();
                let (times, text) = repeated.split_once(':').unwrap();
                out.extend(unescape(text).repeat(times.parse().unwrap()));
                rest = after;
            } else if let Some(value) = rest.get(..3).and_then(|name| names.get(name)) {
                out.extend(value.as_bytes());
                rest = &rest[3..];
            } else {
                let next = rest[1..].find('{').map_or(rest.len(), |at| at + 1);
                out.extend(unescape(&rest[..next]));
                rest = &rest[next..];
            }
        }
        out
    }

    /// A part of what a provider is to get.
    pub(super) fn expand(part: &str, ask: &Ask) -> String {
        part.replace("{n}", &ask.body().len().to_string())
    }

    /// Whether a case makes sense in a way.
    pub(super) fn can_go(&self, way: Way) -> bool {
        let is_long = self.text.contains("{*");
        // The preface of HTTP/2 is one at the beginning only, and a client that goes on in another
        // protocol is told nothing.
        let is_http = !matches!(self.outcome, Outcome::Refused(None));
        match way {
            Way::Whole => true,
            Way::Bytes => !is_long && !matches!(self.outcome, Outcome::Exact(_)),
            Way::Behind => is_http && !matches!(self.outcome, Outcome::Exact(_)),
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    let lines = include_str!("cases.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(case).collect()
}

fn case(line: &'static str) -> Case {
    let mut columns = line.splitn(4, " | ");
    let (family, outcome) = (columns.next().unwrap(), columns.next().unwrap());
    let (name, text) =
        (columns.next().unwrap(), columns.next().unwrap_or_else(|| panic!("{line}")));
    let (word, more) = outcome.split_once(' ').unwrap_or((outcome, ""));
    let outcome = match word {
        "refused" => Outcome::Refused((!more.is_empty()).then(|| more.to_owned())),
        "accepted" => Outcome::Accepted,
        "relayed" => Outcome::Neutral { with: Vec::new(), without: Vec::new() },
        "neutral" => neutral(more),
        "exact" => Outcome::Exact(2),
        "once" => Outcome::Exact(1),
        _ => panic!("{line}"),
    };
    Case { family, outcome, name, text }
}

/// Parts that begin with `+` or `-` after a space.
fn neutral(text: &str) -> Outcome {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for part in format!(" {text}").replace(" +", "\n+").replace(" -", "\n-").lines().skip(1) {
        let (sign, part) = part.split_at(1);
        let part = String::from_utf8(unescape(part)).unwrap();
        if sign == "+" { with.push(part) } else { without.push(part) }
    }
    Outcome::Neutral { with, without }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match bytes.next().unwrap() {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => panic!("an unknown escape {:?} in {text:?}", char::from(other)),
        });
    }
    out
}
