//! Spans: what was done for one request and how long it took, for whoever follows a request through
//! several systems. They say nothing of what was asked or answered, and hold no credential.
//!
//! The records are larder's own, and `export` writes them as OTLP in JSON with the client that
//! providers are called with. OpenTelemetry's SDK would bring some twenty crates and a second way to
//! queue, time and drop, for the one thing that is needed of it: this form of a span.

mod context;
mod span;
mod tracer;

pub use context::{Context, Served, TRACEPARENT, TRACESTATE};
pub use span::{Cause, Kind, Record, Span, Spanning, Value};
pub use tracer::Tracer;
