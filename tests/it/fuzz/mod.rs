//! Readers of what others wrote take anything: no bytes make a dialect panic or hang, and what is
//! read is as many vectors as were asked for, and can be written.

mod kept;

use std::env;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use larder::dialect::chat::{Watch, shape};
use larder::dialect::{ALL, Asked};
use larder::gate::route::endpoint;
use larder::request::{Encoding, Framing};
use larder::sse::{Frame, Splitter};

use crate::chat::shapes::{Shape, shapes};
use crate::dialects::{Fixture, vectors};

/// How many seconds bytes are made up for each test, where `LARDER_FUZZ_SECONDS` does not say.
const SECONDS: u64 = 3;

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

/// Requests and answers of models, whole and in frames that were split anywhere.
fn feed_chat(fixture: &Shape, chance: &mut Chance) {
    let started = Instant::now();
    let below_name = fixture.path.strip_prefix(&format!("/{}", fixture.dialect));
    let path = endpoint(below_name.unwrap_or(fixture.path));
    let shape = shape(fixture.dialect, &Method::POST, path).unwrap();
    drop(shape.read(path, &chance.spoil(fixture.ask.as_bytes())));
    let answer = chance.spoil(fixture.answer.as_bytes());
    shape.whole(&answer, &mut Watch::new());
    for framing in [Framing::Events, Framing::Lines] {
        let (mut splitter, mut watch) = (Splitter::new(framing, 1_000), Watch::new());
        let mut rest = &answer[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(1 + chance.below(rest.len()));
            rest = after;
            let mut each = |frame: Frame<'_>| shape.frame(frame.event, frame.data, &mut watch);
            if splitter.push(piece, &mut each).is_err() {
                break;
            }
        }
        splitter.end(&mut |frame| shape.frame(frame.event, frame.data, &mut watch));
        shape.end(&mut watch);
    }
    assert!(started.elapsed() < HANG, "{} took {:?}", fixture.path, started.elapsed());
}

#[test]
fn no_bytes_make_a_dialect_panic_or_hang() {
    let fixtures: Vec<Fixture> = ALL.iter().flat_map(|dialect| Fixture::all(*dialect)).collect();
    for_a_while(|chance| fixtures.iter().for_each(|fixture| feed(fixture, chance)));
}

#[test]
fn no_bytes_make_a_reader_of_answers_panic_or_hang() {
    let shapes: Vec<Shape> = shapes().collect();
    for_a_while(|chance| shapes.iter().for_each(|shape| feed_chat(shape, chance)));
}

fn for_a_while(mut feed: impl FnMut(&mut Chance)) {
    let seconds = env::var("LARDER_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let (started, time) = (Instant::now(), Duration::from_secs(seconds.unwrap_or(SECONDS)));
    let mut chance = Chance(0x6c61_7264_6572);
    while started.elapsed() < time {
        feed(&mut chance);
    }
}
