//! Refusals in each provider's shape and words.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Value, json};

use super::Shape;
use crate::simulate::provider::Denial;

/// Why a call gets no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is refused, with these words.
    Refused(StatusCode, Cow<'static, str>),
    /// Its connection is to be closed.
    Cut,
}

impl Trouble {
    /// The call is at fault.
    pub(super) fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(StatusCode::BAD_REQUEST, message.into())
    }
}

impl From<Denial> for Trouble {
    fn from(denial: Denial) -> Self {
        let many = |what: &'static str| Self::Refused(StatusCode::TOO_MANY_REQUESTS, what.into());
        match denial {
            Denial::TooMany(_) => many("too many requests per minute"),
            Denial::TooManyAtOnce(_) => many("too many requests at once"),
            Denial::Failure => {
                Self::Refused(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong".into())
            }
            Denial::Cut => Self::Cut,
        }
    }
}

impl Shape {
    /// What is said of a call with more inputs than it may have.
    pub(super) fn too_many(self, most: usize) -> String {
        match self {
            Self::CohereV1 | Self::CohereV2 => {
                format!("invalid request: total number of texts must be at most {most}")
            }
            Self::GeminiOne | Self::GeminiBatch => format!(
                "* BatchEmbedContentsRequest.requests: at most {most} requests can be in one batch\n"
            ),
            Self::Tei | Self::TeiCompatible => {
                format!("batch size is larger than the maximum allowed batch size {most}")
            }
            Self::Mistral => "Too many inputs in request, split into more batches.".to_owned(),
            _ => format!("Too many inputs. The max number of inputs is {most}."),
        }
    }

    /// The body of a refusal.
    pub(super) fn refusal(self, status: StatusCode, message: &str) -> Value {
        let code = status.as_u16();
        let bad = status == StatusCode::BAD_REQUEST;
        match self {
            Self::CohereV1 | Self::CohereV2 => json!({ "id": "simulated", "message": message }),
            Self::GeminiOne | Self::GeminiBatch => {
                let kind = if bad { "INVALID_ARGUMENT" } else { "UNAVAILABLE" };
                json!({ "error": { "code": code, "message": message, "status": kind } })
            }
            Self::Mistral => {
                let kind = "invalid_request_error";
                let code = message.starts_with("Too many inputs").then_some("3210");
                json!({ "object": "error", "message": message, "type": kind, "param": null, "code": code })
            }
            Self::Nomic | Self::Voyage => json!({ "detail": message }),
            Self::OllamaEmbed | Self::OllamaEmbeddings => json!({ "error": message }),
            Self::Tei => json!({ "error": message, "error_type": "Validation" }),
            Self::TeiCompatible => {
                json!({ "message": message, "code": code, "type": "Validation" })
            }
            Self::Azure | Self::Together => {
                let kind = "invalid_request_error";
                json!({ "error": { "message": message, "type": kind, "param": null, "code": null } })
            }
        }
    }
}
