//! What a use case gives back, and what the cache did for it, in RFC 9211's words.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

pub use super::items::Items;
pub use super::unfit::Unfit;
use super::{Change, Rule};
use crate::broadcast::{Head, Reader};
use crate::clock::Moment;
use crate::error::{Error, Kind};
use crate::explain::Place;
use crate::ledger::Credit;
use crate::metrics::{Layer, Outcome};
use crate::transcript::Transcript;
use crate::upstream::{Answer, Coming, Permit};

/// An answer on its way to the gate.
#[derive(Debug)]
pub struct Reply {
    /// The answer.
    pub content: Content,
    /// What the cache did.
    pub verdict: Verdict,
}

impl Reply {
    /// The answer to a request for what is in the cache only, and is not.
    pub(super) fn not_cached(items: Items) -> Self {
        let error =
            Error::new(Kind::NotCached, "not in the cache, and the request has only-if-cached");
        let verdict = Verdict { items: Some(items), manner: Manner::Unasked, ..Verdict::default() };
        Self { content: Content::Failed(error), verdict }
    }

    /// Whether it is not the request that is at fault: the provider failed, or has no time.
    pub fn is_providers_failure(&self) -> bool {
        let fails = |status: StatusCode| {
            status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
        };
        match &self.content {
            Content::Failed(error) => error.kind.is_providers(),
            _ => self.providers_status().is_some_and(fails),
        }
    }

    /// The status of a provider's own response.
    pub(super) fn providers_status(&self) -> Option<StatusCode> {
        match &self.content {
            Content::Passed(answer) => Some(answer.status),
            Content::Streamed(response, _) => Some(response.status()),
            Content::Shared(shared) => Some(shared.0.status),
            Content::Written(..)
            | Content::Switched(_)
            | Content::Replayed(_)
            | Content::Failed(_) => None,
        }
    }
}

/// The answer itself.
#[derive(Debug)]
pub enum Content {
    /// JSON that larder wrote or read to its end, with the provider's headers that may go with it.
    Written(Bytes, Option<Arc<HeaderMap>>),
    /// A provider's own answer, whole.
    Passed(Arc<Answer>),
    /// A provider's own answer as it comes, with what is held to its end.
    Streamed(Box<Response<Coming>>, Passage),
    /// Agreement to another protocol, with its headers.
    Switched(HeaderMap),
    /// A provider's answer that others may be reading too, as it comes.
    Shared(Box<(Head, Reader)>),
    /// A provider's answer that was kept. Boxed, so that a hit for embeddings carries no room for it.
    Replayed(Box<Transcript>),
    /// An error of larder's own.
    Failed(Error),
}

impl Content {
    /// The body as the provider, or larder, wrote it, where all of it is there.
    pub fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Written(body, _) => Some(body.clone()),
            Self::Passed(answer) => Some(answer.body.clone()),
            Self::Replayed(transcript) => Some(transcript.body.clone()),
            Self::Streamed(..) | Self::Switched(_) | Self::Shared(_) | Self::Failed(_) => None,
        }
    }
}

/// What is held until an answer that is passed on has ended.
#[derive(Debug)]
pub struct Passage {
    /// The right to the call.
    pub permit: Permit,
    /// What the request may change at a store.
    pub change: Option<Change>,
}

/// How an answer came to be, where it is out of the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// It is not.
    #[default]
    Ordinary,
    /// It had ended, and is given since the provider failed.
    Stale,
    /// It is a no that the same question got a moment ago.
    Negative,
    /// It is another provider's, since the one that was asked failed.
    Fallback,
    /// It is one that was recorded.
    Recorded,
    /// It is not there, and the request wants nobody to be asked.
    Unasked,
}

/// What the cache did for a request.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Inputs that were there, that others were asking for, and that were asked for.
    pub items: Option<Items>,
    /// Whether the request is one question, so that counting inputs would say nothing.
    pub undivided: bool,
    /// Out of the ordinary, how.
    pub manner: Manner,
    /// Why the cache was not asked, where it was not.
    pub bypass: Option<&'static str>,
    /// The deepest tier that had a part of the answer, where all was there.
    pub layer: Layer,
    /// The entry that there was, where the request was forwarded.
    pub unfit: Unfit,
    /// The status of the provider's failed response that an expired one was given for.
    pub forward_status: Option<u16>,
    /// Whether what came was kept.
    pub stored: bool,
    /// Seconds since the oldest part of the answer was stored.
    pub age: u64,
    /// Seconds until the first part of the answer ends, where one does.
    pub ttl: Option<u64>,
    /// How long the request waited for others and for its turn.
    pub queue: Duration,
    /// How long the provider's call took.
    pub upstream: Duration,
    /// What it is to be credited with, if anything.
    pub credit: Option<Credit>,
    /// Where the request stands among those of late, where that was noted.
    pub place: Option<Place>,
    /// A state of larder that made the request more costly, as a sentence.
    pub note: Option<Box<str>>,
    /// Why it is so, where the request asks.
    pub explained: Option<Box<str>>,
    /// The operator's rule that was carried out for it, if any was.
    pub rule: Option<Arc<Rule>>,
}

/// What is in the cache of an answer that is there.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// The deepest tier that had a part of it.
    pub layer: Layer,
    /// When the oldest part was stored.
    pub oldest: Moment,
    /// When the first part ends.
    pub first_end: Moment,
}

impl Verdict {
    /// All inputs were in the cache.
    pub fn hit(inputs: usize, kept: &Kept, now: Moment) -> Self {
        let Kept { layer, oldest, first_end } = *kept;
        Self {
            items: Some(Items { hit: inputs, ..Items::default() }),
            layer,
            age: now.since(oldest),
            ttl: (first_end != Moment::NEVER).then(|| first_end.since(now)),
            ..Self::default()
        }
    }

    /// The same with what it is to be credited with.
    #[must_use]
    pub fn credited(self, credit: Credit) -> Self {
        Self { credit: Some(credit), ..self }
    }

    /// The cache was not asked.
    pub fn bypass(reason: &'static str) -> Self {
        Self { bypass: Some(reason), ..Self::default() }
    }

    /// The label of the metrics.
    pub fn outcome(&self) -> Outcome {
        match self.items {
            None => Outcome::Bypass,
            Some(_) if self.manner == Manner::Stale => Outcome::Stale,
            Some(Items { collapsed: 0, miss: 0, .. }) => Outcome::Hit,
            Some(Items { hit: 1.., .. }) => Outcome::Partial,
            Some(Items { miss: 0, .. }) => Outcome::Collapsed,
            Some(_) => Outcome::Miss,
        }
    }

    /// The value of `Cache-Status`.
    pub fn cache_status(&self) -> Cow<'static, str> {
        let status = self.status();
        if self.manner == Manner::Fallback { status + "; fallback" } else { status }
    }

    fn status(&self) -> Cow<'static, str> {
        let stored = if self.stored { "; stored" } else { "" };
        let text = match (self.outcome(), self.bypass) {
            (Outcome::Hit, _) if self.manner == Manner::Negative => {
                format!("larder; hit; ttl={}; detail=negative", self.ttl.unwrap_or(0))
            }
            (Outcome::Hit, _) if self.manner == Manner::Recorded => {
                return "larder; hit; detail=recording".into();
            }
            (Outcome::Hit, _) => match (self.layer.label(), self.ttl) {
                ("memory", None) => return "larder; hit; detail=memory".into(),
                (layer, None) => format!("larder; hit; detail={layer}"),
                (layer, Some(ttl)) => format!("larder; hit; ttl={ttl}; detail={layer}"),
            },
            _ if self.manner == Manner::Unasked => return "larder; detail=only-if-cached".into(),
            (Outcome::Stale, _) => match self.forward_status {
                Some(status) => {
                    format!("larder; fwd=stale; fwd-status={status}; detail=stale-if-error")
                }
                None => return "larder; fwd=stale; detail=stale-if-error".into(),
            },
            (Outcome::Partial, _) => format!("larder; fwd=partial{stored}"),
            (Outcome::Collapsed, _) => "larder; fwd=miss; collapsed".to_owned(),
            (Outcome::Miss, Some(reason)) => {
                format!("larder; fwd=request{stored}; detail={reason}")
            }
            (Outcome::Miss, None) => match self.unfit {
                Unfit::Missing => format!("larder; fwd=miss{stored}"),
                Unfit::Expired => format!("larder; fwd=stale{stored}"),
                Unfit::TooOld => format!("larder; fwd=request{stored}; detail=max-age"),
            },
            // It was neither there nor asked for.
            (Outcome::Bypass, Some("rule")) => return "larder; detail=rule".into(),
            (Outcome::Bypass, Some("replay")) => return "larder; detail=replay".into(),
            (Outcome::Bypass, Some(reason)) => format!("larder; fwd=bypass; detail={reason}"),
            (Outcome::Bypass, None) => "larder; fwd=bypass".to_owned(),
        };
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(hit: usize, collapsed: usize, miss: usize) -> Cow<'static, str> {
        let items = Some(Items { hit, collapsed, miss });
        Verdict { items, stored: miss > 0, ..Verdict::default() }.cache_status()
    }

    #[test]
    fn the_words_are_those_of_rfc_9211() {
        assert_eq!(status(3, 0, 0), "larder; hit; detail=memory");
        assert_eq!(status(0, 0, 3), "larder; fwd=miss; stored");
        assert_eq!(status(0, 1, 2), "larder; fwd=miss; stored");
        assert_eq!(status(0, 3, 0), "larder; fwd=miss; collapsed");
        assert_eq!(status(1, 0, 2), "larder; fwd=partial; stored");
        assert_eq!(
            Verdict::bypass("no-store").cache_status(),
            "larder; fwd=bypass; detail=no-store"
        );
    }

    #[test]
    fn an_entry_that_ends_says_when() {
        let items = Some(Items { hit: 1, ..Items::default() });
        let verdict = Verdict { items, ttl: Some(9), ..Verdict::default() };
        assert_eq!(verdict.cache_status(), "larder; hit; ttl=9; detail=memory");
        let verdict = Verdict { layer: Layer::Disk, ..verdict };
        assert_eq!(verdict.cache_status(), "larder; hit; ttl=9; detail=disk");
    }
}
