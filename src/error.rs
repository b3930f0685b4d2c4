//! What larder itself can answer when something is wrong: a kind, what to say, when to come back.
//!
//! The kinds, their codes and their statuses are the contract of the `x-larder-error` header. The
//! body is written at the gate, in the shape of the caller's dialect. What a *provider* answers is
//! never one of these; it passes through as it is.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// What went wrong, as the caller sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is not well formed.
    BadRequest,
    /// The caller shows no key that larder lets in.
    Unauthorized,
    /// The request comes from a web page that may not send it.
    ForbiddenOrigin,
    /// The path begins with the name of a provider that is not configured, or nearly with a name.
    UnknownProvider,
    /// The body is larger than larder reads.
    BodyTooLarge,
    /// The path and the query are longer than larder takes.
    UriTooLong,
    /// The client took too long to send its request.
    RequestTimeout,
    /// A queue or a limit is full.
    Overloaded,
    /// The provider wants no more calls for now.
    RateLimited,
    /// The provider could not be reached, or the connection broke.
    UpstreamUnreachable,
    /// The provider was not there when it was last called.
    CircuitOpen,
    /// The provider's answer was cut short or cannot be used.
    UpstreamInvalid,
    /// The provider took too long.
    UpstreamTimeout,
    /// The caller asked for a cached answer only, and there is none.
    NotCached,
    /// Only what was recorded is answered, and this was not.
    NotRecorded,
    /// A fault of larder's.
    Internal,
}

impl Kind {
    /// The value of `x-larder-error`.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::ForbiddenOrigin => "forbidden_origin",
            Self::UnknownProvider => "unknown_provider",
            Self::BodyTooLarge => "body_too_large",
            Self::UriTooLong => "uri_too_long",
            Self::RequestTimeout => "request_timeout",
            Self::Overloaded => "overloaded",
            Self::RateLimited => "rate_limited",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::CircuitOpen => "circuit_open",
            Self::UpstreamInvalid => "upstream_invalid",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::NotCached => "not_cached",
            Self::NotRecorded => "not_recorded",
            Self::Internal => "internal",
        }
    }

    /// Whether it is the provider that failed, or could not be asked.
    pub fn is_providers(self) -> bool {
        match self {
            Self::UpstreamUnreachable
            | Self::UpstreamInvalid
            | Self::UpstreamTimeout
            | Self::CircuitOpen
            | Self::RateLimited
            | Self::Overloaded => true,
            Self::BadRequest
            | Self::Unauthorized
            | Self::ForbiddenOrigin
            | Self::UnknownProvider
            | Self::BodyTooLarge
            | Self::UriTooLong
            | Self::RequestTimeout
            | Self::NotCached
            | Self::NotRecorded
            | Self::Internal => false,
        }
    }

    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::ForbiddenOrigin => StatusCode::FORBIDDEN,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            // Not one that SDKs try again: nothing will have changed.
            Self::NotRecorded | Self::UnknownProvider => StatusCode::NOT_FOUND,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded | Self::CircuitOpen => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamUnreachable | Self::UpstreamInvalid => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout | Self::NotCached => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

/// An answer that larder makes itself because it cannot give the provider's.
#[derive(Debug, Clone)]
pub struct Error {
    /// What went wrong.
    pub kind: Kind,
    /// For people; never holds a credential or a text of a request.
    pub message: Cow<'static, str>,
    /// When to come back, where that is known.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// An error with something to say.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        let retry_after = (kind == Kind::Overloaded).then_some(Duration::from_secs(1));
        Self { kind, message: message.into(), retry_after }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
