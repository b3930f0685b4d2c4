//! A call that is traced.

use http::HeaderMap;

use crate::metrics::provider;
use crate::trace::{Cause, Served, Spanning};

/// Its span, until its answer has ended.
#[derive(Debug)]
pub(super) struct Traced {
    pub(super) span: Spanning,
    /// The span in whose name it is made.
    by: u64,
}

impl Traced {
    /// Begins a call to a provider, and tells it so.
    pub(super) fn begin(cause: &Cause, upstream: &str, headers: &mut HeaderMap) -> Self {
        let span = cause.call(headers);
        span.set("gen_ai.provider.name", provider(upstream).to_owned());
        Self { span, by: cause.span.context().span }
    }

    /// Its answer has come to its end; what others are to know of it.
    pub(super) fn done(&self) -> Served {
        self.span.done();
        self.served()
    }

    /// What others are to know of it.
    pub(super) fn served(&self) -> Served {
        Served { call: self.span.context(), by: self.by }
    }
}
