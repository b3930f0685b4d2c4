//! How far what was measured in several rounds lies apart.

use serde::Serialize;

/// The middle and the ends of some figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of figures; nothing if there are none, or if one is no number.
    pub(crate) fn of(mut figures: Vec<f64>) -> Option<Self> {
        if figures.iter().any(|figure| !figure.is_finite()) {
            return None;
        }
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let upper = *figures.get(figures.len() / 2)?;
        let lower = *figures.get((figures.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let of = |figures: &[f64]| Spread::of(figures.to_vec());
        let spread = |median, least, most| Some(Spread { median, least, most });
        assert_eq!(of(&[3.0, 1.0, 2.0]), spread(2.0, 1.0, 3.0));
        assert_eq!(of(&[4.0, 1.0, 2.0, 9.0]), spread(3.0, 1.0, 9.0));
        assert_eq!(of(&[5.0]), spread(5.0, 5.0, 5.0));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[1.0, f64::INFINITY]), None);
    }
}
