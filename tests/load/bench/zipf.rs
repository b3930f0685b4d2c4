//! Which text is asked for next, where a few are asked for often and most of them seldom.

use super::chance::Chance;

/// Draws places below a number; the place `k`, from 1, as often as `1 / k^skew`.
#[derive(Debug)]
pub(crate) struct Zipf {
    /// How probable each place or one before it is; the last is 1.
    cumulated: Vec<f64>,
}

impl Zipf {
    /// Over so many places. A skew of 0 makes all equally frequent.
    pub(crate) fn new(places: usize, skew: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=places).map(|place| (place as f64).powf(-skew));
        let mut cumulated: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        for part in &mut cumulated {
            *part /= sum;
        }
        Self { cumulated }
    }

    /// A place, from 0.
    pub(crate) fn draw(&self, chance: &mut Chance) -> usize {
        let drawn = chance.share();
        let place = self.cumulated.partition_point(|part| *part <= drawn);
        // Rounding may leave the last sum a hair below 1.
        place.min(self.cumulated.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(places: usize, skew: f64) -> Vec<f64> {
        let zipf = Zipf::new(places, skew);
        let mut counts = vec![0.0; places];
        let mut chance = Chance::of(3, 4);
        for _ in 0..200_000 {
            counts[zipf.draw(&mut chance)] += 1.0;
        }
        counts
    }

    #[test]
    fn a_place_is_drawn_as_often_as_its_rank_says() {
        let harmonic: f64 = (1..=100).map(|k| 1.0 / f64::from(k)).sum();
        let found = counts(100, 1.0);
        for place in [0, 1, 9, 99] {
            let right = 200_000.0 / harmonic / (place + 1) as f64;
            let deviation = right.sqrt() * 4.5;
            assert!((found[place] - right).abs() < deviation, "{place}: {}, {right}", found[place]);
        }
    }

    #[test]
    fn without_skew_all_are_equal_and_one_place_is_always_drawn() {
        assert!(counts(10, 0.0).iter().all(|count| (count - 20_000.0).abs() < 700.0));
        assert_eq!(counts(1, 1.2), [200_000.0]);
    }

    #[test]
    fn the_share_of_repeats_is_that_of_the_published_table() {
        let zipf = Zipf::new(10_000, 1.0);
        let mut chance = Chance::of(5, 6);
        let mut seen = vec![false; 10_000];
        let repeats =
            (0..50_000).filter(|_| std::mem::replace(&mut seen[zipf.draw(&mut chance)], true));
        let share = repeats.count() as f64 / 50_000.0;
        assert!((share - 0.86).abs() < 0.01, "{share}");
    }
}
