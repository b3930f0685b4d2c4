//! A pause after work in vain, which grows while the work stays in vain.

use std::time::{Duration, Instant};

/// The length of pauses, between a shortest and a longest one. Each in a row is twice as long as the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    bounds: (Duration, Duration),
    next: Duration,
}

impl Length {
    pub(super) fn between(shortest: Duration, longest: Duration) -> Self {
        Self { bounds: (shortest, longest), next: shortest }
    }

    /// The length of this pause.
    pub(super) fn take(&mut self) -> Duration {
        let this = self.next;
        self.next = (this * 2).min(self.bounds.1);
        this
    }
}

/// A pause of a growing length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    length: Length,
    until: Option<Instant>,
}

impl Pause {
    pub(super) fn between(shortest: Duration, longest: Duration) -> Self {
        Self { length: Length::between(shortest, longest), until: None }
    }

    /// Whether there is none now.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// Begins one.
    pub(super) fn begin(&mut self, now: Instant) {
        self.until = Some(now + self.length.take());
    }

    /// Ends it: the work was not in vain.
    pub(super) fn end(&mut self) {
        self.until = None;
        self.length.next = self.length.bounds.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_the_longest_until_it_is_ended() {
        let second = Duration::from_secs(1);
        let (mut pause, now) = (Pause::between(second, 3 * second), Instant::now());
        assert!(pause.is_over(now));
        for seconds in [1, 2, 3, 3] {
            pause.begin(now);
            let end = now + seconds * second;
            assert!(!pause.is_over(now + (seconds - 1) * second) && pause.is_over(end));
        }
        pause.end();
        assert!(pause.is_over(now));
        pause.begin(now);
        assert!(pause.is_over(now + second));
    }
}
