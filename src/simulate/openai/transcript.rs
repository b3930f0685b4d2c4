//! A chat reply as it is written: whole, or as the frames of a stream.

use std::fmt::Write;

use bytes::Bytes;

use crate::simulate::bill::Bill;

/// Whether the last frame of a stream tells the usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    /// It does, and the others have `"usage":null`.
    Told,
    /// No frame does.
    Untold,
}

/// What was said. Words are plain ASCII and need no escapes.
#[derive(Debug)]
pub(super) struct Transcript {
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: u64,
    /// As JSON text.
    pub(super) model: String,
    pub(super) words: Vec<String>,
    pub(super) bill: Bill,
}

impl Transcript {
    /// The whole reply.
    pub(super) fn whole(&self) -> Vec<u8> {
        let head = self.head("chat.completion");
        let (text, usage) = (self.words.concat(), self.usage());
        format!(
            "{head},\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
             \"content\":\"{text}\",\"refusal\":null}},\"logprobs\":null,\
             \"finish_reason\":\"stop\"}}],\"usage\":{usage}}}"
        )
        .into_bytes()
    }

    /// The frames: who speaks, each word, then the ends of text and stream in one.
    pub(super) fn frames(&self, usage: Usage) -> Vec<Bytes> {
        let head = self.head("chat.completion.chunk");
        let tail = match usage {
            Usage::Told => ",\"usage\":null",
            Usage::Untold => "",
        };
        let frame = |delta: &str, finish: &str| {
            format!(
                "data: {head},\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\
                 \"logprobs\":null,\"finish_reason\":{finish}}}]{tail}}}\n\n"
            )
        };
        let word = |word: &String| frame(&format!("\"content\":\"{word}\""), "null");
        let opening = frame("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null", "null");
        let mut closing = frame("", "\"stop\"");
        if usage == Usage::Told {
            let usage = self.usage();
            write!(closing, "data: {head},\"choices\":[],\"usage\":{usage}}}\n\n")
                .expect("a string takes every character");
        }
        closing.push_str("data: [DONE]\n\n");
        let mut frames = vec![Bytes::from(opening)];
        frames.extend(self.words.iter().map(word).map(Bytes::from));
        frames.push(Bytes::from(closing));
        frames
    }

    fn head(&self, object: &str) -> String {
        let Self { id, created, model, .. } = self;
        let tier = self.bill.tier_member();
        format!(
            "{{\"id\":\"{id}\",\"object\":\"{object}\",\"created\":{created},\"model\":{model},\
             \"system_fingerprint\":\"fp_simulated\"{tier}"
        )
    }

    fn usage(&self) -> String {
        self.bill.chat_usage(&self.model)
    }
}
