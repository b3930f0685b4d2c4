//! Cohere's `/v2/chat`.

use http::StatusCode;

use super::{Asked, Fields, Said, Shape, event};

/// `/v2/chat`.
pub(super) struct Chat;

impl Shape for Chat {
    fn read<'a>(&self, _path: &'a str, body: &'a [u8]) -> Option<Asked<'a>> {
        Fields::read(body, false)
    }

    fn whole(&self, said: &Said) -> String {
        format!(
            "{{\"id\":\"{}\",\"message\":{{\"role\":\"assistant\",\
             \"content\":[{{\"type\":\"text\",\"text\":\"{}\"}}]}},\"finish_reason\":\"COMPLETE\",\
             \"usage\":{}}}",
            said.id,
            said.words.concat(),
            usage(said)
        )
    }

    fn pieces(&self, said: &Said) -> Vec<String> {
        let start = format!(
            "{{\"type\":\"message-start\",\"id\":\"{}\",\
             \"delta\":{{\"message\":{{\"role\":\"assistant\",\"content\":[]}}}}}}",
            said.id
        );
        let mut pieces = vec![event("message-start", &start)];
        pieces.extend(said.words.iter().map(|word| {
            let delta = format!(
                "{{\"type\":\"content-delta\",\"index\":0,\
                 \"delta\":{{\"message\":{{\"content\":{{\"text\":\"{word}\"}}}}}}}}"
            );
            event("content-delta", &delta)
        }));
        let end = format!(
            "{{\"type\":\"message-end\",\"delta\":{{\"finish_reason\":\"COMPLETE\",\"usage\":{}}}}}",
            usage(said)
        );
        pieces.push(event("message-end", &end));
        pieces
    }

    fn error(&self, _status: StatusCode, message: &str) -> String {
        format!("{{\"message\":\"{message}\"}}")
    }
}

fn usage(said: &Said) -> String {
    // The templates of the model add tokens that are not billed.
    const TEMPLATE: u64 = 66;
    let (input, output) = (said.bill.prompt.sum(), said.bill.completion());
    let read = input + TEMPLATE;
    format!(
        "{{\"billed_units\":{{\"input_tokens\":{input},\"output_tokens\":{output}}},\
         \"tokens\":{{\"input_tokens\":{read},\"output_tokens\":{output}}}}}"
    )
}
