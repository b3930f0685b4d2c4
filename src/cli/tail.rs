//! `larder tail`: one line for each request of a running sidecar, as it happens.

use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::signal::ctrl_c;

use super::admin::Admin;
use super::columns::printable;
use super::settings::ServeArgs;
use super::{Failure, print_on, runtime, warn};
use crate::request::Framing;
use crate::sse::{Frame, Splitter};
use crate::upstream::Coming;

const PATH: &str = "/api/requests";

/// Maximum size of an event, in bytes.
const LONGEST: usize = 64 << 10;

/// The options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// Print one JSON object for each request
    #[arg(long)]
    json: bool,
}

/// A request as the admin API reports it.
#[derive(Debug, Deserialize)]
struct Request {
    time: f64,
    provider: String,
    model: Option<String>,
    operation: String,
    status: u16,
    cache: String,
    tier: Option<String>,
    bypass: Option<String>,
    items: Option<Items>,
    error: Option<String>,
    milliseconds: f64,
}

#[derive(Debug, Deserialize)]
struct Items {
    hit: u64,
    collapsed: u64,
    miss: u64,
}

/// Events that the sidecar dropped, since this command did not read fast enough.
#[derive(Debug, Deserialize)]
struct Lost {
    lost: u64,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.serve.resolve_client()?;
    runtime()?.block_on(async {
        let admin = Admin::of(&config)?;
        tokio::select! {
            // Without a handler the signal ends the process.
            Ok(()) = ctrl_c() => Ok(()),
            result = follow(&admin, args.json) => result,
        }
    })
}

async fn follow(admin: &Admin, json: bool) -> Result<(), Failure> {
    let (mut events, _permit) = admin.events(PATH).await?;
    let mut splitter = Splitter::new(Framing::Events, LONGEST);
    loop {
        let Some(piece) = next(&mut events).await else {
            let address = admin.address();
            return Err(Failure::Running(format!("the sidecar at {address} has stopped")));
        };
        let mut lines = Vec::new();
        let read = splitter.push(&piece, &mut |frame| lines.extend(line(frame, json)));
        read.map_err(|_| Failure::Running("an event is too long".to_owned()))?;
        for line in lines {
            let reads_on = match line {
                Line::Request(text) => print_on(&text)?,
                Line::Lost(count) => {
                    warn(&format_args!("{count} requests are not shown"));
                    true
                }
            };
            if !reads_on {
                return Ok(());
            }
        }
    }
}

/// The next bytes; none at the end, and where the connection breaks.
async fn next(events: &mut Coming) -> Option<bytes::Bytes> {
    loop {
        let frame = events.frame().await?.ok()?;
        if let Ok(piece) = frame.into_data() {
            return Some(piece);
        }
    }
}

/// A line of output.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Request(String),
    Lost(u64),
}

/// The line of an event; none for an event of another kind.
fn line(frame: Frame<'_>, json: bool) -> Option<Line> {
    match frame.event {
        b"request" if json => {
            let object: &RawValue = serde_json::from_slice(frame.data).ok()?;
            Some(Line::Request(object.get().to_owned()))
        }
        b"request" => {
            let request: Request = serde_json::from_slice(frame.data).ok()?;
            Some(Line::Request(request.line()))
        }
        b"lost" => {
            let lost: Lost = serde_json::from_slice(frame.data).ok()?;
            Some(Line::Lost(lost.lost))
        }
        _ => None,
    }
}

impl Request {
    fn line(&self) -> String {
        let model = printable(self.model.as_deref().unwrap_or("-"));
        format!(
            "{}  {:<5}  {model:<24}  {}  {:<22}  {:>10.1} ms  {}",
            clock(self.time),
            self.operation,
            self.status,
            self.result(),
            self.milliseconds,
            printable(&self.provider),
        )
    }

    /// The cache outcome, with what explains it.
    fn result(&self) -> String {
        if let Some(error) = &self.error {
            return format!("{} ({error})", self.cache);
        }
        let several = self.items.as_ref().and_then(|items| {
            let all = items.hit + items.collapsed + items.miss;
            (all > 1).then(|| format!(" {}/{all}", items.hit))
        });
        let several = several.unwrap_or_default();
        match (&self.tier, &self.bypass) {
            (Some(tier), _) => format!("{}{several} ({tier})", self.cache),
            (None, Some(bypass)) => format!("{} ({bypass})", self.cache),
            (None, None) => format!("{}{several}", self.cache),
        }
    }
}

/// The time of day in UTC.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time since 1970")]
fn clock(time: f64) -> String {
    let milliseconds = (time * 1e3) as u64;
    let (seconds, rest) = (milliseconds / 1_000, milliseconds % 1_000);
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    format!("{:02}:{:02}:{:02}.{rest:03}Z", hours % 24, minutes % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(data: &str) -> String {
        let frame = Frame { event: b"request", data: data.as_bytes() };
        match line(frame, false) {
            Some(Line::Request(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_one_line() {
        let hit = of(r#"{"time":45296.789,"provider":"openai","model":"m","operation":"embed",
            "status":200,"cache":"hit","tier":"memory","bypass":null,
            "items":{"hit":3,"collapsed":0,"miss":0},"error":null,"milliseconds":0.21}"#);
        let fields: Vec<&str> = hit.split_whitespace().collect();
        let expected =
            ["12:34:56.789Z", "embed", "m", "200", "hit", "3/3", "(memory)", "0.2", "ms"];
        assert_eq!(fields[..9], expected);
        let failed = of(r#"{"time":0,"provider":"openai","model":"a\u001bb","operation":"chat",
            "status":502,"cache":"bypass","tier":null,"bypass":null,"items":null,
            "error":"upstream_unreachable","milliseconds":3}"#);
        assert!(failed.contains("502  bypass (upstream_unreachable)"), "{failed}");
        assert!(!failed.contains('\u{1b}'), "{failed}");
    }

    #[test]
    fn lost_events_are_counted_and_others_are_left_out() {
        let frame = |event: &'static [u8]| Frame { event, data: br#"{"lost":7}"# };
        assert_eq!(line(frame(b"lost"), true), Some(Line::Lost(7)));
        assert_eq!(line(frame(b"another"), true), None);
    }
}
