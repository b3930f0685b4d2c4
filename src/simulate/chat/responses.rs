//! `OpenAI`'s `/v1/responses`.

use http::StatusCode;

use super::{Asked, Fields, Said, Shape, event};

/// `/v1/responses`.
pub(super) struct Responses;

impl Shape for Responses {
    fn read<'a>(&self, _path: &'a str, body: &'a [u8]) -> Option<Asked<'a>> {
        Fields::read(body, false)
    }

    fn whole(&self, said: &Said) -> String {
        response(said, "completed", &item(said))
    }

    fn pieces(&self, said: &Said) -> Vec<String> {
        let mut number = 0;
        let mut event_of = |kind: &str, rest: String| {
            let data = format!("{{\"type\":\"{kind}\",\"sequence_number\":{number},{rest}}}");
            number += 1;
            event(kind, &data)
        };
        let begun = format!("\"response\":{}", response(said, "in_progress", ""));
        let place =
            format!("\"item_id\":\"msg_{}\",\"output_index\":0,\"content_index\":0", said.id);
        let mut pieces = vec![
            event_of("response.created", begun.clone()) + &event_of("response.in_progress", begun),
        ];
        pieces.extend(said.words.iter().map(|word| {
            event_of("response.output_text.delta", format!("{place},\"delta\":\"{word}\""))
        }));
        let text = said.words.concat();
        let done = event_of("response.output_text.done", format!("{place},\"text\":\"{text}\""));
        let whole = format!("\"response\":{}", self.whole(said));
        pieces.push(done + &event_of("response.completed", whole));
        pieces
    }

    fn error(&self, _status: StatusCode, message: &str) -> String {
        format!(
            "{{\"error\":{{\"message\":\"{message}\",\"type\":\"invalid_request_error\",\
             \"param\":null,\"code\":null}}}}"
        )
    }
}

fn item(said: &Said) -> String {
    format!(
        "{{\"type\":\"message\",\"id\":\"msg_{}\",\"status\":\"completed\",\"role\":\"assistant\",\
         \"content\":[{{\"type\":\"output_text\",\"text\":\"{}\",\"annotations\":[]}}]}}",
        said.id,
        said.words.concat()
    )
}

fn response(said: &Said, status: &str, output: &str) -> String {
    let Said { id, model, bill, .. } = said;
    let (tier, usage) = (bill.tier_member(), bill.response_usage());
    format!(
        "{{\"id\":\"resp_{id}\",\"object\":\"response\",\"status\":\"{status}\",\"error\":null,\
         \"incomplete_details\":null,\"model\":{model},\"output\":[{output}]{tier},\
         \"usage\":{usage}}}"
    )
}
