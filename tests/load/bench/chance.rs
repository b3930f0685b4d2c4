//! Numbers that look random, the same for the same seed on every machine.

use std::f64::consts::TAU;

/// The step of a Weyl sequence: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of numbers. (`SplitMix64`.)
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// One of the many sequences of a seed; those of different numbers have nothing to do with each
    /// other.
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        Self(mix(seed ^ mix(number.wrapping_add(STEP))))
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number below another.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.number()) * end as u128) >> 64) as usize
    }

    /// A number in [0, 1).
    pub(crate) fn share(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponential, with a mean of 1: the time between two arrivals that know nothing of each other.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.share()).ln()
    }

    /// Normal, with a mean of 0 and a deviation of 1.
    pub(crate) fn normal(&mut self) -> f64 {
        let (length, angle) = (self.exponential(), self.share());
        (2.0 * length).sqrt() * (angle * TAU).cos()
    }
}

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let drawn: Vec<f64> = (0..100_000).map(|_| draw()).collect();
        let mean = drawn.iter().sum::<f64>() / 1e5;
        let square = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        (mean, square.sqrt())
    }

    fn near(found: (f64, f64), right: (f64, f64)) {
        assert!((found.0 - right.0).abs() < 0.02, "{found:?} is not {right:?}");
        assert!((found.1 - right.1).abs() < 0.02, "{found:?} is not {right:?}");
    }

    #[test]
    fn draws_have_the_mean_and_deviation_that_they_should() {
        let mut chance = Chance::of(1, 2);
        near(moments(|| chance.share()), (0.5, 12_f64.sqrt().recip()));
        near(moments(|| chance.exponential()), (1.0, 1.0));
        near(moments(|| chance.normal()), (0.0, 1.0));
        near(moments(|| chance.below(3) as f64), (1.0, (2.0_f64 / 3.0).sqrt()));
    }

    #[test]
    fn a_seed_repeats_and_its_sequences_differ() {
        let first = |seed, number| Chance::of(seed, number).number();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 2));
        assert_ne!(first(1, 2), first(1, 3));
        assert_ne!(first(1, 2), first(2, 1));
    }
}
