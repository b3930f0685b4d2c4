//! Anthropic's `/v1/messages`.

use http::StatusCode;

use super::{Asked, Fields, Said, Shape, event};
use crate::simulate::bill::Bill;
use crate::simulate::prompt_cache::Prompt;

/// `/v1/messages`.
pub(super) struct Messages;

impl Shape for Messages {
    fn read<'a>(&self, _path: &'a str, body: &'a [u8]) -> Option<Asked<'a>> {
        Fields::read(body, false)
    }

    fn whole(&self, said: &Said) -> String {
        let Said { id, model, words, bill } = said;
        let (text, usage) = (words.concat(), usage(bill, bill.output));
        format!(
            "{{\"id\":\"msg_{id}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":{model},\
             \"content\":[{{\"type\":\"text\",\"text\":\"{text}\"}}],\"stop_reason\":\"end_turn\",\
             \"stop_sequence\":null,\"usage\":{usage}}}"
        )
    }

    fn pieces(&self, said: &Said) -> Vec<String> {
        let Said { id, model, words, bill } = said;
        let first = usage(bill, 1);
        let start = format!(
            "{{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_{id}\",\"type\":\"message\",\
             \"role\":\"assistant\",\"model\":{model},\"content\":[],\"stop_reason\":null,\
             \"stop_sequence\":null,\"usage\":{first}}}}}"
        );
        let block = "{\"type\":\"content_block_start\",\"index\":0,\
                     \"content_block\":{\"type\":\"text\",\"text\":\"\"}}";
        let opening = [
            event("message_start", &start),
            event("content_block_start", block),
            event("ping", "{\"type\": \"ping\"}"),
        ];
        let mut pieces = vec![opening.concat()];
        pieces.extend(words.iter().map(|word| {
            let delta = format!(
                "{{\"type\":\"content_block_delta\",\"index\":0,\
                 \"delta\":{{\"type\":\"text_delta\",\"text\":\"{word}\"}}}}"
            );
            event("content_block_delta", &delta)
        }));
        let delta = format!(
            "{{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\",\
             \"stop_sequence\":null}},\"usage\":{{\"output_tokens\":{}}}}}",
            words.len()
        );
        let closing = [
            event("content_block_stop", "{\"type\":\"content_block_stop\",\"index\":0}"),
            event("message_delta", &delta),
            event("message_stop", "{\"type\":\"message_stop\"}"),
        ];
        pieces.push(closing.concat());
        pieces
    }

    fn error(&self, status: StatusCode, message: &str) -> String {
        let kind = match status.as_u16() {
            400 => "invalid_request_error",
            429 => "rate_limit_error",
            _ => "api_error",
        };
        format!(
            "{{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"{message}\"}}}}"
        )
    }
}

fn usage(bill: &Bill, output: u64) -> String {
    let Prompt { fresh, read, written, written_1h } = bill.prompt;
    let all = written + written_1h;
    format!(
        "{{\"input_tokens\":{fresh},\"cache_creation_input_tokens\":{all},\
         \"cache_read_input_tokens\":{read},\"cache_creation\":{{\
         \"ephemeral_5m_input_tokens\":{written},\"ephemeral_1h_input_tokens\":{written_1h}}},\
         \"output_tokens\":{output},\"service_tier\":\"standard\"}}"
    )
}
