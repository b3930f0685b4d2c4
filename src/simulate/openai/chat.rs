//! `POST /v1/chat/completions`, whole or streamed.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Response, StatusCode};
use serde::Deserialize;

use super::fields::{Fields, value};
use super::refusal::{Refusal, Trouble};
use super::transcript::{Transcript, Usage};
use crate::simulate::POISON;
use crate::simulate::bill::Bill;
use crate::simulate::frames::Frames;
use crate::simulate::oracle;
use crate::simulate::provider::{Provider, pause};
use crate::simulate::reply::{self, Body};

/// Answers a call for chat.
pub(super) async fn answer(
    provider: &Arc<Provider>,
    body: &[u8],
) -> Result<Response<Body>, Trouble> {
    provider.stats().chat_request();
    let call = provider.admit()?;
    let request = Request::read(body)?;
    call.survive(&request.model).await?;
    let faults = Arc::clone(call.faults());
    let text = (&*request.model, request.messages);
    let bill = Bill::of_chat(provider.prompts(), text, (body, faults.chunks));
    let transcript = request.transcript(provider.next_reply(), bill);
    provider.bill(&request.model, &bill);
    call.work(&request.model, 0).await;
    if let Delivery::Streamed(usage) = request.delivery {
        let frames = transcript.frames(usage);
        return Ok(reply::events(Frames::new(frames, faults.chunk_delay, call.into_seat())));
    }
    let chunks = u32::try_from(faults.chunks).unwrap_or(u32::MAX);
    pause(faults.chunk_delay.saturating_mul(chunks)).await;
    Ok(reply::json(StatusCode::OK, transcript.whole()))
}

#[derive(Debug)]
struct Request<'a> {
    model: String,
    messages: &'a str,
    delivery: Delivery,
}

#[derive(Debug, Clone, Copy)]
enum Delivery {
    Whole,
    Streamed(Usage),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StreamOptions {
    include_usage: Option<bool>,
}

impl<'a> Request<'a> {
    fn read(body: &'a [u8]) -> Result<Self, Refusal> {
        let fields = Fields::read(body)?;
        let model = fields.model()?.into_owned();
        let messages = fields.messages.ok_or_else(|| Refusal::field("messages"))?.get();
        let first = messages.strip_prefix('[').map(str::trim_start);
        let filled = first.is_some_and(|rest| !rest.starts_with(']'));
        if !filled || messages.contains(POISON) {
            return Err(Refusal::field("messages"));
        }
        let streamed = value("stream", fields.stream)?.unwrap_or(false);
        let options: Option<StreamOptions> = value("stream_options", fields.stream_options)?;
        let delivery = match (streamed, options.and_then(|options| options.include_usage)) {
            (false, _) => Delivery::Whole,
            (true, Some(true)) => Delivery::Streamed(Usage::Told),
            (true, _) => Delivery::Streamed(Usage::Untold),
        };
        Ok(Self { model, messages, delivery })
    }

    fn transcript(&self, reply: u64, bill: Bill) -> Transcript {
        let seed = oracle::chat_seed(&self.model, self.messages);
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Transcript {
            id: format!("chatcmpl-{:016x}", oracle::mix(reply)),
            created: since_epoch.as_secs(),
            model: serde_json::to_string(&self.model).expect("a string is JSON"),
            words: oracle::words(seed, usize::try_from(bill.output).unwrap_or(usize::MAX)),
            bill,
        }
    }
}
