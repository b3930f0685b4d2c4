//! A model's answer as it comes: when each event did, and what it says.

use std::time::Instant;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use larder::request::Framing;
use larder::sse::Splitter;
use serde::Deserialize;

use super::trouble::Trouble;

/// No event is longer.
const MOST_BYTES: usize = 16 << 20;

/// A stream that came to its end.
#[derive(Debug, Default)]
pub(crate) struct Streamed {
    /// When each event came.
    pub(crate) times: Vec<Instant>,
    /// What was said.
    pub(crate) words: String,
    ended: bool,
    malformed: bool,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    content: Option<String>,
}

impl Streamed {
    /// Reads a stream to its end.
    pub(crate) async fn read(mut body: Incoming) -> Result<Self, Trouble> {
        let mut splitter = Splitter::new(Framing::Events, MOST_BYTES);
        let mut stream = Self::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Trouble::Cut)?;
            let Some(bytes) = frame.data_ref() else { continue };
            let now = Instant::now();
            let pushed = splitter.push(bytes, &mut |frame| stream.take(frame.data, now));
            pushed.map_err(|_| Trouble::Malformed)?;
        }
        match stream {
            Self { malformed: true, .. } => Err(Trouble::Malformed),
            Self { ended: false, .. } => Err(Trouble::Unfinished),
            whole => Ok(whole),
        }
    }

    fn take(&mut self, event: &[u8], now: Instant) {
        self.times.push(now);
        if event == b"[DONE]" {
            self.ended = true;
            return;
        }
        let Ok(event) = serde_json::from_slice::<Event>(event) else {
            self.malformed = true;
            return;
        };
        let said = event.choices.into_iter().filter_map(|choice| choice.delta.content);
        said.for_each(|said| self.words.push_str(&said));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_put_together_until_the_end() {
        let mut stream = Streamed::default();
        let now = Instant::now();
        stream.take(br#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, now);
        stream.take(br#"{"choices":[{"delta":{"content":"bread "}}]}"#, now);
        stream.take(br#"{"choices":[{"delta":{"content":"\u0061nd"},"finish_reason":null}]}"#, now);
        stream.take(br#"{"choices":[],"usage":{}}"#, now);
        assert!(!stream.ended);
        stream.take(b"[DONE]", now);
        assert!(stream.ended && !stream.malformed);
        assert_eq!((stream.words.as_str(), stream.times.len()), ("bread and", 5));
        stream.take(b"{", now);
        assert!(stream.malformed);
    }
}
