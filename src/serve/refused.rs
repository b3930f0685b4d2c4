//! What a provider said no to, for seconds: the same bytes would get the same no. Only where it is the
//! request itself that is wrong; who asks, and how often, may change at any time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};
use http_body::Body;

use super::reply::{Content, Items, Manner, Reply, Verdict};
use super::{Directives, Service};
use crate::headers::on_hits;
use crate::key::Digest;
use crate::upstream::Answer;

/// How many are remembered, and how large one may be.
const MOST: usize = 1_024;
const LARGEST: usize = 16 << 10;

/// The refusals of the last seconds, by the digest of all that was asked.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    by_question: HashMap<Digest, Refusal>,
    /// In the order in which they came.
    order: VecDeque<Digest>,
}

/// A refusal, and when it came.
#[derive(Debug, Clone)]
struct Refusal {
    answer: Arc<Answer>,
    came: Instant,
}

impl Refusals {
    /// Whether there are none that are younger than this; lets the older ones go.
    fn are_none(&self, ttl: Duration) -> bool {
        let mut state = self.lock();
        state.expire(ttl);
        state.by_question.is_empty()
    }

    /// The refusal of a question, if it is no older.
    fn of(&self, question: &Digest, ttl: Duration) -> Option<Refusal> {
        if ttl.is_zero() {
            return None;
        }
        let refusal = self.lock().by_question.get(question).cloned()?;
        (refusal.came.elapsed() < ttl).then_some(refusal)
    }

    /// Whether an answer is one that may be remembered, and so short that it can be waited for.
    pub(super) fn fits(status: StatusCode, body: &impl Body) -> bool {
        let length = body.size_hint().exact();
        lasts(status) && length.is_some_and(|length| length <= LARGEST as u64)
    }

    /// Remembers an answer for so long, if it is one that the same question would get again.
    pub(super) fn note(&self, question: Digest, answer: &Answer, ttl: Duration) {
        if ttl.is_zero() || !lasts(answer.status) || answer.body.len() > LARGEST {
            return;
        }
        let headers: HeaderMap =
            on_hits(&answer.headers).map(|(name, value)| (name.clone(), value.clone())).collect();
        let answer = Arc::new(Answer { headers, ..answer.clone() });
        let mut state = self.lock();
        state.expire(ttl);
        let refusal = Refusal { answer, came: Instant::now() };
        if state.by_question.insert(question, refusal).is_some() {
            state.order.retain(|other| *other != question);
        }
        state.order.push_back(question);
        if state.order.len() > MOST
            && let Some(oldest) = state.order.pop_front()
        {
            state.by_question.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets go of the refusals that are older. Only expired ones are ever looked at twice.
    fn expire(&mut self, ttl: Duration) {
        while let Some(oldest) = self.order.front() {
            let refusal = self.by_question.get(oldest);
            if refusal.is_some_and(|refusal| refusal.came.elapsed() < ttl) {
                return;
            }
            self.by_question.remove(oldest);
            self.order.pop_front();
        }
    }
}

impl Service {
    /// The no that a question got a moment ago, unless its caller wants it asked anew. Which question it is is only
    /// asked where there are any.
    pub(super) fn refused(
        &self,
        directives: &Directives,
        question: impl FnOnce() -> Digest,
    ) -> Option<Reply> {
        if directives.no_cache
            || directives.max_age.is_some()
            || self.refusals.are_none(self.negative_ttl)
        {
            return None;
        }
        let refusal = self.refusals.of(&question(), self.negative_ttl)?;
        let (age, rest) = refusal.age_and_rest(self.negative_ttl);
        let items = Items { hit: 1, ..Items::default() };
        let mut verdict =
            Verdict { items: Some(items), age, ttl: Some(rest), ..Verdict::default() };
        (verdict.undivided, verdict.manner) = (true, Manner::Negative);
        Some(Reply { content: Content::Passed(refusal.answer), verdict })
    }
}

impl Refusal {
    /// Whole seconds since it came, and until it is asked again.
    fn age_and_rest(&self, ttl: Duration) -> (u64, u64) {
        let age = self.came.elapsed();
        (age.as_secs(), ttl.saturating_sub(age).as_secs())
    }
}

/// Whether a status is about what was asked, and about nothing else.
fn lasts(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 404 | 413 | 422)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, length: usize) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "1".parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        let (status, body) = (StatusCode::from_u16(status).unwrap(), Bytes::from(vec![0; length]));
        Answer { status, headers, body, took: Duration::ZERO, call: None }
    }

    #[test]
    fn only_what_would_be_said_again_is_remembered() {
        let refusals = Refusals::default();
        let ttl = Duration::from_mins(1);
        for (status, length, is_kept) in [
            (400, 1, true),
            (422, 1, true),
            (401, 1, false),
            (429, 1, false),
            (400, 1 << 20, false),
        ] {
            let question = Digest::of(&[u8::try_from(status % 256).unwrap(), u8::from(is_kept)]);
            refusals.note(question, &answer(status, length), ttl);
            let refusal = refusals.of(&question, ttl);
            assert_eq!(refusal.is_some(), is_kept, "{status}");
            if let Some(refusal) = refusal {
                assert!(!refusal.answer.headers.contains_key("x-request-id"));
                assert!(refusals.of(&question, Duration::ZERO).is_none());
            }
        }
    }

    #[test]
    fn expired_refusals_are_let_go() {
        let (refusals, ttl) = (Refusals::default(), Duration::from_millis(20));
        for n in 0..9_u8 {
            refusals.note(Digest::of(&[n % 3]), &answer(400, 1), ttl);
        }
        assert!(!refusals.are_none(ttl));
        assert_eq!(refusals.lock().order.len(), 3);
        std::thread::sleep(2 * ttl);
        refusals.note(Digest::of(&[9]), &answer(400, 1), ttl);
        assert_eq!(refusals.lock().by_question.len(), 1);
        assert_eq!(refusals.lock().order.len(), 1);
        std::thread::sleep(2 * ttl);
        assert!(refusals.are_none(ttl));
        assert!(refusals.lock().order.is_empty());
        refusals.note(Digest::of(&[9]), &answer(400, 1), Duration::ZERO);
        assert!(refusals.lock().by_question.is_empty());
    }

    #[test]
    fn their_number_is_bounded() {
        let refusals = Refusals::default();
        for n in 0..2 * MOST {
            refusals.note(Digest::of(&n.to_le_bytes()), &answer(400, 1), Duration::from_mins(1));
        }
        assert_eq!(refusals.lock().by_question.len(), MOST);
        assert_eq!(refusals.lock().order.len(), MOST);
    }
}
