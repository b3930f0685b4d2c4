//! When requests are due, where that does not depend on the answers (an open loop).

use std::time::Duration;

use super::chance::Chance;

/// Within so much time the clients of a burst ask.
const BURST_WIDTH: Duration = Duration::from_millis(10);

/// The times at which requests are due, counted from the start; the same for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    rhythm: Rhythm,
    next: u64,
    /// No more than so many.
    most: u64,
    /// None at or after this.
    end: Duration,
}

#[derive(Debug, Clone)]
enum Rhythm {
    /// Requests that know nothing of each other: a Poisson process.
    Poisson { chance: Chance, gap: Duration, now: Duration },
    /// So many at once, then a pause.
    Bursts { size: u64, period: Duration },
}

impl Arrivals {
    /// So many a second on average.
    pub(crate) fn poisson(rate: f64, seed: u64) -> Self {
        let gap = Duration::from_secs_f64(rate.recip());
        Self::with(Rhythm::Poisson { chance: Chance::of(seed, 0), gap, now: Duration::ZERO })
    }

    /// So many a second on average, in bursts of a size.
    pub(crate) fn bursts(rate: f64, size: u64) -> Self {
        Self::with(Rhythm::Bursts { size, period: Duration::from_secs_f64(size as f64 / rate) })
    }

    fn with(rhythm: Rhythm) -> Self {
        Self { rhythm, next: 0, most: u64::MAX, end: Duration::MAX }
    }

    /// The same, but no more than so many, and none at or after a time.
    pub(crate) fn until(self, most: u64, end: Duration) -> Self {
        Self { most, end, ..self }
    }
}

impl Iterator for Arrivals {
    type Item = (u64, Duration);

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.next;
        let due = match &mut self.rhythm {
            Rhythm::Poisson { chance, gap, now } => {
                *now += gap.mul_f64(chance.exponential());
                *now
            }
            Rhythm::Bursts { size, period } => {
                let within = (number % *size) as f64 / *size as f64;
                period.mul_f64((number / *size) as f64) + BURST_WIDTH.mul_f64(within)
            }
        };
        self.next += 1;
        (number < self.most && due < self.end).then_some((number, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(100);

    #[test]
    fn a_rate_is_met_and_the_gaps_are_exponential() {
        let times: Vec<f64> = Arrivals::poisson(500.0, 1)
            .until(u64::MAX, LONG)
            .map(|(_, due)| due.as_secs_f64())
            .collect();
        assert!((times.len() as f64 - 50_000.0).abs() < 1_000.0, "{}", times.len());
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap >= 0.0));
        let longer = gaps.iter().filter(|gap| **gap > 0.002).count() as f64 / gaps.len() as f64;
        assert!((longer - (-1.0_f64).exp()).abs() < 0.01, "{longer}");
    }

    #[test]
    fn a_seed_repeats_and_numbers_count_up() {
        let of = |seed| Arrivals::poisson(9.0, seed).until(100, LONG).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(of(1).iter().map(|(number, _)| *number).eq(0..100));
    }

    #[test]
    fn a_burst_comes_within_ten_milliseconds() {
        let times: Vec<_> = Arrivals::bursts(40.0, 20).until(60, LONG).collect();
        for (number, due) in times {
            let start = Duration::from_millis(500) * (number / 20) as u32;
            assert!(due >= start && due < start + BURST_WIDTH, "{number}: {due:?}");
        }
    }
}
