//! Readers of what others wrote take anything: no bytes make a dialect panic or hang, and what is
//! read is as many vectors as were asked for, and can be written.

use std::time::{Duration, Instant};

use http::StatusCode;
use larder::dialect::{ALL, Asked};
use larder::request::Encoding;

use super::dialects::{Fixture, vectors};

/// How long bytes are made up.
const FOR: Duration = Duration::from_secs(3);

/// The longest that reading one body of a few kilobytes may take.
const HANG: Duration = Duration::from_secs(1);

/// What parsers stumble over.
const PIECES: &[&str] = &[
    "null",
    "[[]]",
    "{}",
    "\"\\ud800\"",
    "1e999",
    "-0",
    "18446744073709551616",
    "\\u0000",
    "\u{1}",
    "\u{2}",
    "\"\"",
    "[",
    "{",
    "}",
    "]",
    ",",
    ":",
    "\u{feff}",
    "\u{2028}",
    "NaN",
    "0.1",
    "true",
    "é",
];

/// A stream of numbers that is the same in every run (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 1).unwrap() % bound.max(1)
    }

    /// A body with a few things wrong.
    fn spoil(&mut self, body: &[u8]) -> Vec<u8> {
        let mut out = body.to_vec();
        for _ in 0..=self.below(4) {
            let (at, length) = (self.below(out.len()), self.below(16));
            let end = (at + length).min(out.len());
            match self.below(6) {
                0 => out.truncate(at),
                1 => drop(out.drain(at..end)),
                2 => {
                    let again = out[at..end].to_vec();
                    out.splice(at..at, again);
                }
                3 if at < out.len() => out[at] = u8::try_from(self.below(256)).unwrap(),
                4 => {
                    let nested = if self.below(2) == 0 { "[" } else { "{\"a\":" };
                    let nested = nested.repeat(self.below(300));
                    out.splice(at..end, nested.into_bytes());
                }
                _ => {
                    let piece = PIECES[self.below(PIECES.len())];
                    out.splice(at..end, piece.bytes());
                }
            }
        }
        out
    }
}

fn feed(fixture: &Fixture, chance: &mut Chance) {
    let started = Instant::now();
    for status in [400, 413, 500] {
        let body = chance.spoil(&fixture.bytes("refusals"));
        fixture.dialect.classify(StatusCode::from_u16(status).unwrap(), &body);
    }
    let Some(shape) = fixture.shape() else { return };
    let body = fixture.bytes("request");
    let good = shape.read(fixture.path(), &body).unwrap();
    let spoilt = chance.spoil(&body);
    if let Ok(request) = shape.read(fixture.path(), &spoilt) {
        assert!(!request.inputs.is_empty(), "{}: {spoilt:?}", fixture.name);
    }
    let path = String::from_utf8_lossy(&chance.spoil(fixture.path().as_bytes())).into_owned();
    drop(shape.read(&path, &body));
    let reply = chance.spoil(&fixture.bytes("reply"));
    for encoding in [Encoding::Float, Encoding::Base64, Encoding::Kept] {
        let asked = Asked { inputs: good.inputs.len(), encoding };
        for read in [shape.read_reply(&reply, asked), shape.read_call_reply(&reply, asked)] {
            let Ok(read) = read else { continue };
            assert_eq!(read.items.len(), asked.inputs, "{}: {reply:?}", fixture.name);
            let mut request = good.clone();
            request.encoding = encoding;
            let written = shape.write_reply(&request, &vectors(&read));
            let valid = serde_json::from_slice::<serde::de::IgnoredAny>(&written);
            let shown = || String::from_utf8_lossy(&written).into_owned();
            assert!(valid.is_ok(), "{}: {reply:?} {}", fixture.name, shown());
        }
    }
    assert!(started.elapsed() < HANG, "{} took {:?}", fixture.name, started.elapsed());
}

#[test]
fn no_bytes_make_a_dialect_panic_or_hang() {
    let fixtures: Vec<Fixture> = ALL.iter().flat_map(|dialect| Fixture::all(*dialect)).collect();
    let started = Instant::now();
    let mut chance = Chance(0x6c61_7264_6572);
    while started.elapsed() < FOR {
        for fixture in &fixtures {
            feed(fixture, &mut chance);
        }
    }
}
