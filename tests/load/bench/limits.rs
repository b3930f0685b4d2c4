//! What a run must keep to, for use in CI.

use std::time::Duration;

use larder::simulate::{duration, share};

use super::args::positive;
use super::report::figures::{Figures, Quantiles};
use super::report::number;

/// Limits; they hold for every target but the first, and for the first if it is alone.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(
    next_help_heading = "Limits (exit code 1; of all targets but the first, or of the only one)"
)]
pub(crate) struct Limits {
    /// The median latency
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_p50: Option<Duration>,
    /// The latency that 99 % of the requests keep to
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_p99: Option<Duration>,
    /// The share of requests without a good answer
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_error_rate: Option<f64>,
    /// The share of inputs that were in the target's cache
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_hit_rate: Option<f64>,
    /// Good answers a second
    #[arg(long, value_name = "N", value_parser = positive)]
    min_rps: Option<f64>,
    /// How many times better than the first target: in requests a second, with --rate in median latency
    #[arg(long, value_name = "X", value_parser = positive)]
    min_ratio: Option<f64>,
}

impl Limits {
    /// Whether there are any.
    pub(crate) fn are_set(&self) -> bool {
        let times = self.max_p50.is_some() || self.max_p99.is_some();
        let numbers = [self.max_error_rate, self.min_hit_rate, self.min_rps, self.min_ratio];
        times || numbers.iter().any(Option::is_some)
    }

    /// What does not hold of all targets, in words.
    pub(crate) fn broken(&self, all: &[Figures]) -> Vec<String> {
        let judged = match all {
            [_, others @ ..] if !others.is_empty() => others,
            all => all,
        };
        judged.iter().flat_map(|figures| self.broken_by(figures)).collect()
    }

    fn broken_by(&self, figures: &Figures) -> Vec<String> {
        let limit = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
        let found = |of: fn(&Quantiles) -> f64| figures.latency.as_ref().map(|all| of(all) * 1e3);
        let most = [
            ("p50 in ms", "--max-p50", found(|all| all.p50), limit(self.max_p50)),
            ("p99 in ms", "--max-p99", found(|all| all.p99), limit(self.max_p99)),
            ("error rate", "--max-error-rate", figures.error_rate, self.max_error_rate),
        ];
        let least = [
            ("hit rate", "--min-hit-rate", figures.hit_rate, self.min_hit_rate),
            ("requests a second", "--min-rps", Some(figures.rps), self.min_rps),
            ("ratio", "--min-ratio", figures.ratio.as_ref().map(|r| r.median), self.min_ratio),
        ];
        let most = most.map(|limit| (limit, f64::le as fn(&f64, &f64) -> bool));
        let least = least.map(|limit| (limit, f64::ge as fn(&f64, &f64) -> bool));
        let broken = |((what, flag, found, limit), holds): Limit| {
            let limit = limit?;
            let name = &figures.name;
            match found {
                Some(found) if holds(&found, &limit) => None,
                Some(found) => {
                    let [found, limit] = [found, limit].map(number);
                    Some(format!("{name}: {what} is {found}, and {flag} is {limit}"))
                }
                None => Some(format!("{name}: {what} is not known, and {flag} is set")),
            }
        };
        most.into_iter().chain(least).filter_map(broken).collect()
    }
}

type Limit<'a> = ((&'a str, &'a str, Option<f64>, Option<f64>), fn(&f64, &f64) -> bool);

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(name: &str, p99: u64) -> Figures {
        let latency = Quantiles { p99: p99 as f64 / 1e3, ..Quantiles::default() };
        let latency = Some(latency);
        Figures { name: name.to_owned(), latency, rps: 10.0, ..Figures::default() }
    }

    #[test]
    fn limits_are_for_all_but_the_first_and_for_a_lone_one() {
        let limits = Limits { max_p99: Some(Duration::from_millis(5)), ..Limits::default() };
        let (slow, fast) = (figures("slow", 9), figures("fast", 5));
        assert!(limits.broken(&[slow.clone(), fast.clone()]).is_empty());
        assert_eq!(limits.broken(&[fast, slow.clone()]).len(), 1);
        assert_eq!(
            limits.broken(&[slow]),
            ["slow: p99 in ms is 9.00, and --max-p99 is 5.00".to_owned()]
        );
    }

    #[test]
    fn what_is_not_known_keeps_to_no_limit() {
        let limits = Limits { min_hit_rate: Some(0.0), min_rps: Some(11.0), ..Limits::default() };
        assert!(limits.are_set() && !Limits::default().are_set());
        assert_eq!(limits.broken(&[figures("a", 1)]).len(), 2);
        assert!(Limits::default().broken(&[figures("a", 1)]).is_empty());
    }
}
