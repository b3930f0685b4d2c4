//! The size of calls that a provider takes from one credential, as its refusals taught it.

use std::time::{Duration, Instant};

use super::pause::Pause;
use super::plan::Size;

/// The first pause after a search for a cap that found none, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_hours(1));

/// The caps of calls with one credential.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    /// Inputs, where more were refused.
    inputs: Option<usize>,
    /// Tokens as larder estimates them, where more were refused.
    tokens: Option<usize>,
    /// The most inputs and the most tokens that a call was accepted with.
    taken: (usize, usize),
    /// No cap is searched for meanwhile.
    pause: Pause,
}

impl Default for Caps {
    fn default() -> Self {
        let pause = Pause::between(PAUSE.0, PAUSE.1);
        Self { inputs: None, tokens: None, taken: (0, 0), pause }
    }
}

impl Caps {
    /// A bound, within these caps.
    pub(super) fn within(&self, bound: Size) -> Size {
        Size {
            inputs: bound.inputs.min(self.inputs.unwrap_or(usize::MAX)),
            tokens: bound.tokens.min(self.tokens.unwrap_or(usize::MAX)),
            bytes: bound.bytes,
        }
    }

    /// Notes that a call was accepted.
    pub(super) fn took(&mut self, size: &Size) {
        self.taken = (self.taken.0.max(size.inputs), self.taken.1.max(size.tokens));
    }

    /// Notes that more inputs than these are refused.
    pub(super) fn learn_inputs(&mut self, cap: usize) -> usize {
        let cap = cap.max(1);
        *self.inputs.insert(self.inputs.map_or(cap, |known| known.min(cap)))
    }

    /// Notes that more tokens than these are refused.
    pub(super) fn learn_tokens(&mut self, cap: usize) -> usize {
        let cap = cap.max(1);
        *self.tokens.insert(self.tokens.map_or(cap, |known| known.min(cap)))
    }

    /// Whether the size of a call may be the reason of its refusal: none of this size was accepted. A search
    /// costs calls, so one that found no cap is not repeated at once.
    pub(super) fn may_search(&self, size: &Size, now: Instant) -> bool {
        let is_larger = size.inputs > self.taken.0 || size.tokens > self.taken.1;
        is_larger && self.pause.is_over(now)
    }

    /// Notes that a search found no cap.
    pub(super) fn found_none(&mut self, now: Instant) {
        self.pause.begin(now);
    }

    /// Notes the cap that a search found: calls of this size are accepted, and the call that was refused, of the
    /// other size, was not. The refused call's number of inputs was accepted before where its tokens are the reason.
    pub(super) fn found(&mut self, accepted: &Size, refused: &Size, is_of_tokens: bool) {
        if is_of_tokens || refused.inputs <= self.taken.0 {
            self.learn_tokens(accepted.tokens);
        } else {
            self.learn_inputs(accepted.inputs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(inputs: usize, tokens: usize) -> Size {
        Size { inputs, tokens, bytes: 0 }
    }

    #[test]
    fn a_cap_only_ever_falls_and_never_to_nothing() {
        let mut caps = Caps::default();
        assert_eq!(caps.learn_inputs(16), 16);
        assert_eq!(caps.learn_inputs(64), 16);
        assert_eq!(caps.learn_inputs(0), 1);
        assert_eq!(caps.learn_tokens(100), 100);
        let bound = Size { inputs: 9, tokens: 900, bytes: 7 };
        assert_eq!(caps.within(bound), Size { inputs: 1, tokens: 100, bytes: 7 });
    }

    #[test]
    fn a_cap_is_searched_for_where_the_size_may_be_the_reason() {
        let (mut caps, now) = (Caps::default(), Instant::now());
        caps.took(&size(10, 500));
        assert!(!caps.may_search(&size(10, 100), now));
        assert!(caps.may_search(&size(11, 100), now) && caps.may_search(&size(2, 501), now));
        caps.found_none(now);
        assert!(!caps.may_search(&size(11, 100), now));
        assert!(caps.may_search(&size(11, 100), now + PAUSE.0));
    }

    #[test]
    fn a_number_of_inputs_that_was_accepted_before_is_not_the_reason() {
        let mut caps = Caps::default();
        caps.took(&size(20, 20));
        caps.found(&size(10, 400), &size(20, 800), false);
        assert_eq!((caps.inputs, caps.tokens), (None, Some(400)));
        caps.found(&size(16, 30), &size(32, 60), false);
        assert_eq!(caps.inputs, Some(16));
    }
}
