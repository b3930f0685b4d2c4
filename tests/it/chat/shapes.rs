//! What the endpoints of models are asked, and what they answer.

/// What one endpoint is asked and answers.
pub(crate) struct Shape {
    /// Whose it is.
    pub(crate) dialect: &'static str,
    pub(crate) path: &'static str,
    pub(crate) ask: &'static str,
    pub(super) media_type: &'static str,
    pub(crate) answer: &'static str,
    /// The same answer, not to be kept.
    pub(super) unfinished: &'static [&'static str],
}

const EVENTS: &str = "text/event-stream";
pub(super) const JSON: &str = "application/json";

pub(super) const OPENAI: Shape = Shape {
    dialect: "openai",
    path: "/v1/chat/completions",
    ask: r#"{"model":"m","temperature":0,"messages":[{"role":"user","content":"a"}]}"#,
    media_type: JSON,
    answer: r#"{"id":"1","choices":[{"index":0,"message":{"content":"b"},"finish_reason":"stop"}]}"#,
    unfinished: &[
        r#"{"choices":[{"index":0,"message":{"content":"b"},"finish_reason":"length"}]}"#,
        r#"{"choices":[{"index":0,"message":{"tool_calls":[{}]},"finish_reason":"tool_calls"}]}"#,
        r#"{"choices":[{"index":0,"message":{"content":"b"},"finish_reason":"content_filter"}]}"#,
        r#"{"choices":[]}"#,
        "not json",
        "",
    ],
};

pub(super) const OPENAI_STREAM: Shape = Shape {
    dialect: "openai",
    path: "/v1/chat/completions",
    ask: r#"{"model":"m","temperature":0,"stream":true,"messages":[]}"#,
    media_type: EVENTS,
    answer: ": hello\r\n\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\r\n\r\n\
             data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
             data: [DONE]\n\n",
    unfinished: &[
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\ndata: [DONE]\n\n",
        "data: {\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n",
        "",
    ],
};

pub(super) const COMPLETIONS: Shape = Shape {
    path: "/v1/completions",
    ask: r#"{"model":"m","temperature":0,"prompt":"a"}"#,
    answer: r#"{"choices":[{"index":0,"text":"b","finish_reason":"stop"}]}"#,
    unfinished: &[r#"{"choices":[{"index":0,"text":"b","finish_reason":"length"}]}"#],
    ..OPENAI
};

pub(super) const RESPONSES: Shape = Shape {
    path: "/v1/responses",
    ask: r#"{"model":"m","temperature":0,"store":false,"input":"a"}"#,
    answer: r#"{"status":"completed","error":null,"output":[{"type":"message","content":[]}]}"#,
    unfinished: &[r#"{"status":"incomplete","error":null,"output":[]}"#],
    ..OPENAI
};

pub(super) const RESPONSES_STREAM: Shape = Shape {
    path: "/v1/responses",
    ask: r#"{"model":"m","temperature":0,"store":false,"input":"a","stream":true}"#,
    media_type: EVENTS,
    answer: "event: response.created\ndata: {\"type\":\"response.created\"}\n\n\
             event: response.completed\n\
             data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n",
    unfinished: &[
        "event: error\ndata: {\"type\":\"error\"}\n\n",
        "event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"response\":{}}\n\n",
    ],
    ..OPENAI
};

pub(super) const MESSAGES: Shape = Shape {
    dialect: "anthropic",
    path: "/anthropic/v1/messages",
    ask: r#"{"model":"m","max_tokens":9,"temperature":0,"messages":[]}"#,
    media_type: JSON,
    answer: r#"{"type":"message","content":[],"stop_reason":"end_turn"}"#,
    unfinished: &[
        r#"{"type":"message","content":[],"stop_reason":"max_tokens"}"#,
        r#"{"type":"message","content":[],"stop_reason":"tool_use"}"#,
    ],
};

pub(super) const MESSAGES_STREAM: Shape = Shape {
    path: "/anthropic/messages",
    ask: r#"{"model":"m","max_tokens":9,"temperature":0,"messages":[],"stream":true}"#,
    media_type: EVENTS,
    answer: "event: message_start\ndata: {\"type\":\"message_start\"}\n\n\
             event: ping\ndata: {\"type\": \"ping\"}\n\n\
             event: message_delta\n\
             data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n\
             event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    unfinished: &[
        "event: message_delta\n\
         data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
    ],
    ..MESSAGES
};

pub(super) const GEMINI: Shape = Shape {
    dialect: "gemini",
    path: "/gemini/v1beta/models/m:generateContent",
    ask: r#"{"contents":[],"generationConfig":{"temperature":0}}"#,
    media_type: JSON,
    answer: r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}"#,
    unfinished: &[r#"{"candidates":[{"finishReason":"MAX_TOKENS"}]}"#],
};

pub(super) const GEMINI_STREAM: Shape = Shape {
    path: "/gemini/v1beta/models/m:streamGenerateContent?alt=sse",
    media_type: EVENTS,
    answer: "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]}}]}\r\n\r\n\
             data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n",
    unfinished: &["data: {\"candidates\":[{\"content\":{\"parts\":[]}}]}\r\n\r\n"],
    ..GEMINI
};

pub(super) const OLLAMA: Shape = Shape {
    dialect: "ollama",
    path: "/ollama/api/chat",
    ask: r#"{"model":"m","messages":[],"options":{"temperature":0}}"#,
    media_type: "application/x-ndjson",
    answer: "{\"message\":{\"content\":\"b\"},\"done\":false}\n\
             {\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n",
    unfinished: &[
        "{\"message\":{\"content\":\"b\"},\"done\":false}\n",
        "{\"message\":{\"content\":\"b\"},\"done\":false}\n{\"error\":\"x\"}\n",
    ],
};

pub(super) const COHERE: Shape = Shape {
    dialect: "cohere",
    path: "/cohere/v2/chat",
    ask: r#"{"model":"m","messages":[{}],"temperature":0,"stream":true}"#,
    media_type: EVENTS,
    answer: "event: message-start\ndata: {\"type\":\"message-start\"}\n\n\
             event: message-end\n\
             data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n",
    unfinished: &["event: message-start\ndata: {\"type\":\"message-start\"}\n\n"],
};

/// Those whose dialect this build has.
pub(crate) fn shapes() -> impl Iterator<Item = Shape> {
    let all = [
        OPENAI,
        OPENAI_STREAM,
        COMPLETIONS,
        RESPONSES,
        RESPONSES_STREAM,
        MESSAGES,
        MESSAGES_STREAM,
        GEMINI,
        GEMINI_STREAM,
        OLLAMA,
        COHERE,
    ];
    all.into_iter().filter(|shape| larder::dialect::named(shape.dialect).is_some())
}
