//! Refusals in `OpenAI`'s shape, with its own words where they are known.

use std::time::Duration;

use http::{Method, Response, StatusCode};
use serde::Serialize;

use super::retry_after;
use crate::simulate::provider::Denial;
use crate::simulate::reply::{self, Body};

/// A refusal: the fields of `{"error": …}` and how it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    pub(super) status: StatusCode,
    #[serde(skip)]
    wait: Option<Duration>,
    message: String,
    r#type: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

/// Why a call gets no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is refused.
    Refused(Refusal),
    /// Its connection is to be closed.
    Cut,
}

impl Refusal {
    /// The call is at fault.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            wait: None,
            message: message.into(),
            r#type: "invalid_request_error",
            param: None,
            code: None,
        }
    }

    /// A field is not what it should be.
    pub(super) fn field(name: &'static str) -> Self {
        Self::invalid(format!(
            "'$.{name}' is invalid. Please check the API reference: \
             https://platform.openai.com/docs/api-reference."
        ))
    }

    /// A field has a value that is not among those supported.
    pub(super) fn value(name: &'static str, message: String) -> Self {
        Self { param: Some(name), code: Some("invalid_value"), ..Self::invalid(message) }
    }

    /// The body is not JSON.
    pub(super) fn body() -> Self {
        Self::invalid(
            "We could not parse the JSON body of your request. (HINT: This likely means you \
             aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but \
             what was sent was not valid JSON. If you have trouble figuring out how to fix this, \
             please contact us through our help center at help.openai.com.)",
        )
    }

    /// More inputs than one call may have.
    pub(super) fn inputs(max: usize) -> Self {
        Self::invalid(format!("Too many inputs. The max number of inputs is {max}."))
    }

    /// More tokens than one call may have.
    pub(super) fn tokens(requested: u64, max: u64) -> Self {
        let kind = "max_tokens_per_request";
        let message = format!("Requested {requested} tokens, max {max} tokens per request");
        Self { r#type: kind, code: Some(kind), ..Self::invalid(message) }
    }

    /// There is no such model.
    pub(super) fn model(id: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            param: Some("model"),
            code: Some("model_not_found"),
            ..Self::invalid(format!("The model '{id}' does not exist"))
        }
    }

    /// There is no such path.
    pub(super) fn path(method: &Method, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        Self { status: StatusCode::NOT_FOUND, ..Self::invalid(message) }
    }

    /// The path is for another method.
    pub(super) fn method(method: &Method, path: &str) -> Self {
        let message = format!(
            "Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP \
             method?)"
        );
        Self { status: StatusCode::METHOD_NOT_ALLOWED, ..Self::invalid(message) }
    }

    /// Writes it.
    pub(super) fn into_response(self) -> Response<Body> {
        let text = serde_json::to_vec(&Envelope { error: &self });
        let text = text.expect("a refusal is made of texts");
        let mut response = reply::json(self.status, text);
        if let Some(wait) = self.wait {
            // Rounded up: a caller that waits as told must not be refused again.
            let wait_ms = wait.as_micros().div_ceil(1000);
            retry_after(response.headers_mut(), u64::try_from(wait_ms).unwrap_or(u64::MAX));
        }
        response
    }

    fn busy(wait: Duration, what: &str) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            wait: Some(wait),
            message: format!(
                "Rate limit reached in organization org-simulated on {what}. Please try again in \
                 {}ms.",
                wait.as_micros().div_ceil(1000)
            ),
            r#type: "requests",
            param: None,
            code: Some("rate_limit_exceeded"),
        }
    }

    fn failure() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            r#type: "server_error",
            ..Self::invalid(
                "The server had an error while processing your request. Sorry about that!",
            )
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a Refusal,
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Denial> for Trouble {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::TooMany(wait) => Refusal::busy(wait, "requests per min (RPM)").into(),
            Denial::TooManyAtOnce(wait) => Refusal::busy(wait, "concurrent requests").into(),
            Denial::Failure => Refusal::failure().into(),
            Denial::Cut => Self::Cut,
        }
    }
}
