//! How a target's memory goes over a long run.

use std::time::Duration;

/// With more samples than this, every second one is let go.
const MOST: usize = 4096;

/// Memory at times.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    points: Vec<(Duration, u64)>,
    /// The time between two that are kept.
    interval: Duration,
}

impl Samples {
    /// None yet; at least so far apart.
    pub(crate) fn every(interval: Duration) -> Self {
        Self { points: Vec::new(), interval }
    }

    /// Adds one, unless it is too close to the last.
    pub(crate) fn add(&mut self, time: Duration, bytes: u64) {
        if self.points.last().is_some_and(|(last, _)| time < *last + self.interval) {
            return;
        }
        self.points.push((time, bytes));
        if self.points.len() >= MOST {
            self.interval *= 2;
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// All that were kept.
    pub(crate) fn points(&self) -> &[(Duration, u64)] {
        &self.points
    }

    /// Bytes an hour over the second half, by least squares: a cache may fill in the first.
    pub(crate) fn slope(&self) -> Option<f64> {
        let half = self.points.get(self.points.len() / 2..)?;
        if half.len() < 3 {
            return None;
        }
        let hours = |time: &Duration| time.as_secs_f64() / 3600.0;
        let count = half.len() as f64;
        let mean_time = half.iter().map(|(time, _)| hours(time)).sum::<f64>() / count;
        let mean_bytes = half.iter().map(|(_, bytes)| *bytes as f64).sum::<f64>() / count;
        let [mut both, mut square] = [0.0; 2];
        for (time, bytes) in half {
            let far = hours(time) - mean_time;
            both += far * (*bytes as f64 - mean_bytes);
            square += far * far;
        }
        (square > 0.0).then(|| both / square)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_slope_is_that_of_the_second_half() {
        let mut samples = Samples::every(SECOND);
        assert_eq!(samples.slope(), None);
        for second in 0..200_u64 {
            let bytes = if second < 100 { second * 1_000 } else { 100_000 + second };
            samples.add(SECOND * second as u32, bytes);
        }
        let slope = samples.slope().unwrap();
        assert!((slope - 3_600.0).abs() < 1.0, "{slope}");
    }

    #[test]
    fn samples_thin_out_instead_of_growing_without_bound() {
        let mut samples = Samples::every(SECOND);
        for second in 0..50_000_u32 {
            samples.add(SECOND * second, 7);
            samples.add(SECOND * second, 8);
        }
        assert!(samples.points().len() < MOST && samples.points().len() > MOST / 4);
        assert!(samples.points().iter().all(|(_, bytes)| *bytes == 7));
        assert_eq!(samples.slope(), Some(0.0));
    }
}
