//! What may go wrong, and for which calls: limits, delays and random faults.
//!
//! Pure: a fault is a function of seed and call number, so a run can be repeated. Knows nothing of
//! wire shapes, and does not wait itself.

use std::time::Duration;

use super::oracle;
use super::settings::{duration, model_duration, share};

/// The delays, limits and faults of the simulated provider; all may change while it runs.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Faults {
    /// Latency of each call.
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = duration)]
    pub latency: Duration,
    /// Latency of each call for this model instead; can be given once for each model.
    #[arg(long, value_name = "MODEL=TIME", value_parser = model_duration)]
    pub latency_of: Vec<(String, Duration)>,
    /// Additional latency for each input of a call.
    #[arg(long, value_name = "TIME", default_value = "2ms", value_parser = duration)]
    pub latency_per_item: Duration,
    /// Additional random latency, evenly distributed between 0 and this.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration)]
    pub jitter: Duration,
    /// Maximum inputs per call; more are refused with 400.
    #[arg(long, value_name = "N", default_value_t = 2048)]
    pub max_inputs: usize,
    /// Maximum tokens per call; more are refused with 400.
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    pub max_tokens: u64,
    /// Maximum concurrent calls, 0 for no limit; more are refused with 429.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_concurrent: usize,
    /// Maximum calls per minute, 0 for no limit; more are refused with 429.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rpm: u32,
    /// Share of calls that fail with 500.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub error_rate: f64,
    /// Share of calls that never get a response.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub timeout_rate: f64,
    /// Share of calls whose connection is closed without a response.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub reset_rate: f64,
    /// Chunks of text in a chat completion.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub chunks: usize,
    /// Latency of each chunk.
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = duration)]
    pub chunk_delay: Duration,
}

impl Faults {
    /// What befalls the call that `chance` belongs to.
    pub(super) fn fate(&self, chance: Chance) -> Fate {
        let drawn = chance.draw(Purpose::Fate);
        // One draw for all three, so that each rate is met exactly and none hides another.
        if drawn < self.reset_rate {
            return Fate::Cut;
        }
        if drawn < self.reset_rate + self.timeout_rate {
            return Fate::Silence;
        }
        if drawn < self.reset_rate + self.timeout_rate + self.error_rate {
            return Fate::Failure;
        }
        Fate::Answer
    }

    /// How long a call of so many inputs takes.
    pub(super) fn delay(&self, model: &str, items: usize, chance: Chance) -> Duration {
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        self.latency_for(model)
            .saturating_add(self.latency_per_item.saturating_mul(items))
            .saturating_add(self.jitter.mul_f64(chance.draw(Purpose::Jitter)))
    }

    fn latency_for(&self, model: &str) -> Duration {
        // The last word counts, as with every flag.
        let own = self.latency_of.iter().rev().find(|(name, _)| name == model);
        own.map_or(self.latency, |(_, latency)| *latency)
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(100),
            latency_of: Vec::new(),
            latency_per_item: Duration::from_millis(2),
            jitter: Duration::ZERO,
            max_inputs: 2048,
            max_tokens: 300_000,
            max_concurrent: 0,
            rpm: 0,
            error_rate: 0.0,
            timeout_rate: 0.0,
            reset_rate: 0.0,
            chunks: 16,
            chunk_delay: Duration::from_millis(20),
        }
    }
}

/// What befalls a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is answered.
    Answer,
    /// It is answered with 500.
    Failure,
    /// It is never answered.
    Silence,
    /// Its connection is closed.
    Cut,
}

/// The randomness of one call: the same for the same seed and number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance {
    /// The seed of the run.
    pub(super) seed: u64,
    /// The number of the call in the run.
    pub(super) call: u64,
}

/// What is drawn for; draws for different purposes are independent.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Fate = 1,
    Jitter = 2,
}

impl Chance {
    /// A number in [0, 1).
    fn draw(self, purpose: Purpose) -> f64 {
        let stream = oracle::mix(self.seed ^ oracle::mix(purpose as u64));
        let bits = oracle::mix(stream.wrapping_add(self.call));
        f64::from((bits >> 32) as u32) / 4_294_967_296.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_met_and_draws_repeat() {
        let faults =
            &Faults { error_rate: 0.2, timeout_rate: 0.1, reset_rate: 0.05, ..Faults::default() };
        let fates = |seed| (0..10_000).map(move |call| faults.fate(Chance { seed, call }));
        let count = |fate| fates(1).filter(|drawn| *drawn == fate).count();
        assert!((1_900..2_100).contains(&count(Fate::Failure)), "{}", count(Fate::Failure));
        assert!((900..1_100).contains(&count(Fate::Silence)), "{}", count(Fate::Silence));
        assert!((430..570).contains(&count(Fate::Cut)), "{}", count(Fate::Cut));
        assert!(fates(1).eq(fates(1)));
        assert!(!fates(1).eq(fates(2)));
    }

    #[test]
    fn nothing_befalls_a_call_by_default() {
        let answered = |call| Faults::default().fate(Chance { seed: 0, call }) == Fate::Answer;
        assert!((0..10_000).all(answered));
    }

    #[test]
    fn a_call_takes_longer_the_more_inputs_it_has() {
        let chance = Chance { seed: 0, call: 0 };
        let mut faults = Faults::default();
        assert_eq!(faults.delay("m", 50, chance), Duration::from_millis(200));
        faults.jitter = Duration::from_millis(10);
        let range = Duration::from_millis(200)..Duration::from_millis(210);
        assert!(range.contains(&faults.delay("m", 50, chance)));
    }

    #[test]
    fn a_model_has_a_latency_of_its_own() {
        let of = |model: &str, millis| (model.to_owned(), Duration::from_millis(millis));
        let latency_of = vec![of("slow", 900), of("fast", 1), of("slow", 1_000)];
        let faults = Faults { latency_of, ..Faults::default() };
        let delay = |model| faults.delay(model, 5, Chance { seed: 0, call: 0 }).as_millis();
        assert_eq!((delay("slow"), delay("fast"), delay("other")), (1_010, 11, 110));
    }
}
