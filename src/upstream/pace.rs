//! How fast one credential calls its provider: learned from what the provider says, by headers and by
//! 429. Knows no clock and no queue; it is told the time and how many calls are under way.
//!
//! Three things hold a call back. A *pause* is what a 429 asks for. The *window* is how many calls may
//! be under way: halved where one was too many, and one larger for each window that went well
//! (additive increase, multiplicative decrease). It stays below what was too much for a while, since
//! going there again costs a pause. The *allowance* mirrors the provider's own count of calls in a
//! period, where it tells that, so that calls are spread before they are refused.
//!
//! Where even a call that is alone is refused, time after time, nothing is held back any more: whoever
//! asks is to hear it from the provider.

use std::time::{Duration, Instant};

use super::allowance::Allowance;
use super::told::Told;

/// How long the window stays below what was too much.
const HOLD: Duration = Duration::from_secs(10);

/// How long to pause where a provider does not say: at first, and at the most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// After so many rounds in which nothing was taken, for so long, waiting is in vain.
const ROUNDS: (u32, Duration) = (3, Duration::from_millis(250));

/// The longest pause that is believed, so that a slip of a provider does not stop everything.
const LONGEST: Duration = Duration::from_hours(1);

/// Why a call may not be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Not {
    /// It may at that time.
    Before(Instant),
    /// It may when another has ended.
    WhileFull,
}

/// What has been learned.
#[derive(Debug)]
pub(super) struct Pace {
    /// The window that nothing was learned of.
    most: f64,
    window: f64,
    /// What was too much, and until when it is believed to be.
    ceiling: Option<(f64, Instant)>,
    /// When the window was last halved: calls from before say nothing new.
    halved: Option<Instant>,
    paused: Option<Instant>,
    /// Refusals in a row.
    refusals: u32,
    /// How often in a row a call was refused that was alone, and when the first and the last were.
    rounds: (u32, Option<(Instant, Instant)>),
    allowance: Option<Allowance>,
}

impl Pace {
    pub(super) fn new(most: u32) -> Self {
        let most = f64::from(most);
        Self {
            most,
            window: most,
            ceiling: None,
            halved: None,
            paused: None,
            refusals: 0,
            rounds: (0, None),
            allowance: None,
        }
    }

    /// Whether a call may be made now.
    pub(super) fn ready(&self, under_way: u32, now: Instant) -> Result<(), Not> {
        if self.is_stuck() {
            return Ok(());
        }
        if let Some(until) = self.paused_at(now) {
            return Err(Not::Before(until));
        }
        if f64::from(under_way) + 1.0 > self.window.max(1.0) {
            return Err(Not::WhileFull);
        }
        match self.allowance.map(|allowance| allowance.next(now)) {
            Some(next) if next > now => Err(Not::Before(next)),
            _ => Ok(()),
        }
    }

    /// A call was refused that was the only one under way: it is not for others that it was.
    pub(super) fn refused_alone(&mut self, sent: Instant, now: Instant) {
        let (count, span) = self.rounds;
        if span.is_none_or(|(_, last)| sent >= last) {
            let first = span.map_or(now, |(first, _)| first);
            self.rounds = (count.saturating_add(1), Some((first, now)));
        }
    }

    /// Whether nothing is taken, however long one waits: then everybody is to hear it from the provider.
    pub(super) fn is_stuck(&self) -> bool {
        let (count, span) = self.rounds;
        let lasted = span.map(|(first, last)| last.saturating_duration_since(first));
        count > ROUNDS.0 && lasted >= Some(ROUNDS.1)
    }

    /// Until when nothing is called, if that is so.
    pub(super) fn paused_at(&self, now: Instant) -> Option<Instant> {
        self.paused.filter(|until| *until > now && !self.is_stuck())
    }

    /// A call is made.
    pub(super) fn sent(&mut self, now: Instant) {
        self.allowance = self.allowance.map(|allowance| allowance.spent(now));
    }

    /// An answer came to a call that was made then, with so many under way.
    pub(super) fn answered(
        &mut self,
        told: &Told,
        (sent, under_way): (Instant, u32),
        now: Instant,
    ) {
        if let Some(calls) = told.calls {
            let known = self.allowance.map(|allowance| allowance.refilled(now));
            self.allowance = Some(Allowance::told(known, calls, under_way, now));
        }
        if told.throttled {
            return self.refused(told, (sent, under_way), now);
        }
        self.refusals = 0;
        self.rounds = (0, None);
        self.grow(under_way, now);
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_blank(&self, now: Instant) -> bool {
        self.window >= self.most
            && self.rounds.0 == 0
            && self.paused_at(now).is_none()
            && self.allowance.is_none_or(|allowance| allowance.refilled(now).allows(self.most))
    }

    fn refused(&mut self, told: &Told, (sent, under_way): (Instant, u32), now: Instant) {
        self.refusals = self.refusals.saturating_add(1);
        let doubled = PAUSE.0 * (1 << self.refusals.saturating_sub(1).min(16));
        let pause = told.wait.unwrap_or(doubled.min(PAUSE.1)).min(LONGEST);
        let until = now + pause;
        self.paused = Some(self.paused.map_or(until, |before| before.max(until)));
        // A period without calls left was refused for their number in it, not for their number at once.
        let by_count = told.calls.is_some_and(|calls| calls.left < 1.0);
        if by_count || self.halved.is_some_and(|halved| sent < halved) {
            return;
        }
        let was = f64::from(under_way).min(self.window);
        self.ceiling = Some((was, now + HOLD));
        self.window = (was / 2.0).max(1.0);
        self.halved = Some(now);
    }

    fn grow(&mut self, under_way: u32, now: Instant) {
        // A window that is not used says nothing about a larger one.
        if self.window >= self.most || f64::from(under_way) + 1.0 < self.window {
            return;
        }
        let ceiling = self.ceiling.filter(|(_, until)| *until > now);
        let most = ceiling.map_or(self.most, |(most, _)| (most - 1.0).max(1.0));
        self.window = (self.window + 1.0 / self.window).min(most.max(self.window));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::told::Calls;

    const OK: Told =
        Told { throttled: false, wait: None, is_final: false, calls: None, tokens: None };
    const NO: Told = Told { throttled: true, ..OK };

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_refusal_pauses_as_long_as_it_says_and_doubles_where_it_does_not() {
        let (mut pace, now) = (Pace::new(100), Instant::now());
        let told = Told { wait: Some(Duration::from_secs(3)), ..NO };
        pace.answered(&told, (now, 1), now);
        assert_eq!(pace.ready(0, now), Err(Not::Before(after(now, 3_000))));
        assert_eq!(pace.ready(0, after(now, 3_000)), Ok(()));
        let mut pace = Pace::new(100);
        for wait in [100, 200, 400, 800, 1_000, 1_000] {
            pace.answered(&NO, (now, 1), now);
            assert_eq!(pace.ready(0, now), Err(Not::Before(after(now, wait))));
        }
        pace.answered(&OK, (now, 1), now);
        pace.answered(&NO, (now, 1), after(now, 1_000));
        assert_eq!(pace.paused, Some(after(now, 1_100)));
    }

    #[test]
    fn a_burst_that_is_refused_halves_the_window_once() {
        let (mut pace, now) = (Pace::new(100), Instant::now());
        for _ in 0..80 {
            pace.answered(&NO, (now, 100), after(now, 5));
        }
        assert!((pace.window - 50.0).abs() < 0.1, "{pace:?}");
        pace.answered(&NO, (after(now, 10_000), 50), after(now, 10_010));
        assert!((pace.window - 25.0).abs() < 0.1, "{pace:?}");
    }

    #[test]
    fn the_window_grows_by_one_for_each_that_went_well_and_stays_below_what_was_too_much() {
        let (mut pace, now) = (Pace::new(100), Instant::now());
        pace.answered(&NO, (now, 20), now);
        let later = after(now, 500);
        for _ in 0..10 {
            pace.answered(&OK, (now, 10), later);
        }
        assert!((10.8..11.1).contains(&pace.window), "{pace:?}");
        for _ in 0..1_000 {
            pace.answered(&OK, (now, 19), later);
        }
        assert!((pace.window - 19.0).abs() < 0.1, "{pace:?}");
        let much_later = after(now, 11_000);
        for _ in 0..10_000 {
            pace.answered(&OK, (now, 100), much_later);
        }
        assert!(pace.is_blank(much_later), "{pace:?}");
        // What is not used says nothing.
        pace.answered(&NO, (much_later, 20), much_later);
        pace.answered(&OK, (much_later, 2), much_later);
        assert!((pace.window - 10.0).abs() < 0.1, "{pace:?}");
    }

    #[test]
    fn a_line_that_does_not_move_holds_nobody_back() {
        let (mut pace, start) = (Pace::new(100), Instant::now());
        for round in 0..4 {
            assert!(!pace.is_stuck());
            let now = after(start, 400 * (round + 1));
            pace.answered(&NO, (now, 1), now);
            pace.refused_alone(now, now);
            // Those that were sent before it say nothing more.
            pace.refused_alone(start, after(now, 1));
        }
        let now = after(start, 2_000);
        assert_eq!((pace.is_stuck(), pace.ready(50, now)), (true, Ok(())));
        pace.answered(&OK, (now, 1), now);
        assert!(!pace.is_stuck());
    }

    #[test]
    fn a_few_refusals_in_a_moment_do_not_mean_that_nothing_moves() {
        let (mut pace, start) = (Pace::new(100), Instant::now());
        for round in 0..20 {
            let now = after(start, 10 * round);
            pace.answered(&NO, (now, 1), now);
            pace.refused_alone(now, now);
        }
        assert!(!pace.is_stuck());
    }

    #[test]
    fn a_refusal_by_the_count_of_calls_says_nothing_about_their_number_at_once() {
        let (mut pace, now) = (Pace::new(100), Instant::now());
        pace.answered(&Told { calls: Calls::a_minute(600.0, 0.0), ..NO }, (now, 50), now);
        assert!((pace.window - 100.0).abs() < 0.1, "{pace:?}");
    }

    #[test]
    fn calls_are_spread_before_they_are_refused() {
        let (mut pace, start) = (Pace::new(100), Instant::now());
        let told = |left| Told { calls: Calls::a_minute(600.0, left), ..OK };
        pace.answered(&told(2.0), (start, 0), start);
        let mut sent = 0;
        for millisecond in 0..10_000 {
            let now = after(start, millisecond);
            if pace.ready(0, now).is_ok() {
                pace.sent(now);
                sent += 1;
                // What comes back meanwhile does not slow it.
                pace.answered(&told(0.0), (now, 1), now);
            }
        }
        assert!((99..=103).contains(&sent), "{sent}");
    }

    #[test]
    fn an_allowance_follows_what_the_provider_says() {
        let (mut pace, now) = (Pace::new(100), Instant::now());
        pace.answered(&Told { calls: Calls::a_minute(60.0, 50.0), ..OK }, (now, 0), now);
        assert_eq!(pace.ready(0, now), Ok(()));
        // Somebody else calls with the same credential.
        pace.answered(&Told { calls: Calls::a_minute(60.0, 0.0), ..OK }, (now, 0), now);
        pace.sent(now);
        assert_eq!(pace.ready(0, now), Err(Not::Before(after(now, 1_000))));
        pace.answered(&Told { calls: Calls::a_minute(60.0, 40.0), ..OK }, (now, 0), now);
        assert_eq!(pace.ready(0, now), Ok(()));
    }
}
