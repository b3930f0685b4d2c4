//! Looks at an answer on its way to know whether it may be kept.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::dialect::ChatShape;
use crate::dialect::chat::{Spoilt, Watch};
use crate::headers::is_json;
use crate::request::{ChatRequest, Framing};
use crate::sse::{Frame, Splitter};
use crate::usage::{Layout, Reported, Usage, UsageReader};

/// An answer under watch.
#[derive(Debug)]
pub(super) struct Watcher {
    shape: &'static dyn ChatShape,
    framing: Option<Framing>,
    splitter: Option<Splitter>,
    choices: u64,
    watch: Watch,
    usage: UsageReader,
    /// Why it is not to be kept, whatever it says.
    unfit: Option<&'static str>,
}

impl Watcher {
    /// Expects the answer to a request, with frames of at most so many bytes.
    pub(super) fn new(shape: &'static dyn ChatShape, request: &ChatRequest, limit: usize) -> Self {
        Self {
            shape,
            framing: request.framing,
            splitter: request.framing.map(|framing| Splitter::new(framing, limit)),
            choices: request.choices,
            watch: Watch::new(),
            usage: UsageReader::new(request.framing.map_or(Layout::Whole, |_| Layout::Lines)),
            unfit: None,
        }
    }

    /// Looks at the head.
    pub(super) fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        let fits = match self.framing {
            None => is_json(headers),
            Some(Framing::Events) => essence == "text/event-stream",
            Some(Framing::Lines) => {
                matches!(essence.as_str(), "application/x-ndjson" | "application/json")
            }
        };
        if status != StatusCode::OK {
            self.unfit = Some("status");
        } else if !fits || headers.contains_key(header::CONTENT_ENCODING) {
            self.unfit = Some("content_type");
        }
    }

    /// Looks at a piece of the body.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let (shape, watch) = (self.shape, &mut self.watch);
        self.usage.take(bytes);
        if self.unfit.is_some() {
            return;
        }
        if let Some(splitter) = &mut self.splitter {
            let mut each = |frame: Frame<'_>| shape.frame(frame.event, frame.data, watch);
            if splitter.push(bytes, &mut each).is_err() {
                self.unfit = Some("too_large");
            }
        }
    }

    /// Why the answer will not be kept, as far as that is known.
    pub(super) fn unfit(&self) -> Option<&'static str> {
        self.unfit.or_else(|| self.watch.spoilt().map(word))
    }

    /// The usage that it reports, as far as it has been read.
    pub(super) fn reported(&self) -> Reported {
        let reported = self.usage.reported();
        // Endpoints beside completions may bill nothing.
        let usage = reported.usage.or_else(|| self.shape.route().map(|_| Usage::default()));
        Reported { usage, ..reported }
    }

    /// Whether the answer that ended here may be kept; where not, a word why.
    pub(super) fn verdict(&mut self, whole: &[Bytes]) -> Result<(), &'static str> {
        if let Some(unfit) = self.unfit {
            return Err(unfit);
        }
        let (shape, watch) = (self.shape, &mut self.watch);
        let clean = match &mut self.splitter {
            None => {
                shape.whole(&whole.concat(), watch);
                true
            }
            Some(splitter) => {
                splitter.end(&mut |frame| shape.frame(frame.event, frame.data, watch))
            }
        };
        if !clean {
            return Err("unfinished");
        }
        if self.framing.is_some() {
            shape.end(watch);
        }
        watch.verdict(self.choices).map_err(word)
    }
}

fn word(spoilt: Spoilt) -> &'static str {
    match spoilt {
        Spoilt::Unreadable => "unreadable",
        Spoilt::Error => "error",
        Spoilt::Reason => "finish_reason",
        Spoilt::Refused => "refused",
        Spoilt::Unfinished => "unfinished",
    }
}
