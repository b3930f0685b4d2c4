//! How the simulated provider is set up: the flags of `larder simulate`.
//!
//! Knows nothing of what the settings do; the ones that may change while it runs are [`Faults`].

use std::time::Duration;

use super::faults::Faults;

/// How the simulated provider behaves.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Settings {
    /// What may be changed while it runs.
    #[command(flatten)]
    pub faults: Faults,
    /// Dimensions of a vector if the request has none.
    #[arg(long, value_name = "N", default_value_t = 1536)]
    pub dimensions: usize,
    /// Compresses responses for clients that accept gzip, br or zstd.
    #[arg(long)]
    pub compress: bool,
    /// Seed of the random faults. The same seed and calls give the same faults.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl Settings {
    /// The defaults without any delay.
    pub fn instant() -> Self {
        let faults = Faults {
            latency: Duration::ZERO,
            latency_per_item: Duration::ZERO,
            chunk_delay: Duration::ZERO,
            ..Faults::default()
        };
        Self { faults, ..Self::default() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { faults: Faults::default(), dimensions: 1536, compress: false, seed: 0 }
    }
}

/// Reads `100ms`, `1.5s`, `1500us`, `2m` or a plain `0`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let refuse = || format!("{text:?} is not a duration such as 100ms, 1.5s or 0");
    let number: f64 = number.parse().map_err(|_| refuse())?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "" if number == 0.0 => 0.0,
        _ => return Err(refuse()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| refuse())
}

/// Reads a model and its duration: `gpt-4o=1.5s`. A model's name may itself have an equals sign.
pub(super) fn model_duration(text: &str) -> Result<(String, Duration), String> {
    let parts = text.rsplit_once('=').filter(|(model, _)| !model.is_empty());
    let (model, time) =
        parts.ok_or_else(|| format!("{text:?} is not MODEL=TIME, such as gpt-4o=1.5s"))?;
    Ok((model.to_owned(), duration(time)?))
}

/// Reads a share between 0 and 1.
pub fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    check_share(share)
}

/// Refuses what is not a share between 0 and 1.
pub(super) fn check_share(share: f64) -> Result<f64, String> {
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(format!("{share} is not between 0 and 1"))
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Settings, clap::Error> {
        let command = Settings::augment_args(Command::new("simulate").no_binary_name(true));
        Settings::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }

    #[test]
    fn a_duration_has_a_unit_unless_it_is_zero() {
        assert_eq!(duration("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("1500us"), Ok(Duration::from_micros(1500)));
        assert_eq!(duration("0.25ms"), Ok(Duration::from_micros(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for text in ["", "5", "ms", "-1s", "1h", "1.2.3s", "1 s", "99999999999999999999999s", "1µ"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_flags_have_the_defaults() {
        assert_eq!(parse(&[]).unwrap(), Settings::default());
    }

    #[test]
    fn every_flag_is_read() {
        let line = "--latency 1s --latency-of m=5ms --latency-of a=b=2s --latency-per-item 0 --jitter 3ms --max-inputs 7 --max-tokens 8 \
            --max-concurrent 9 --rpm 10 --error-rate 0.5 --timeout-rate 0.25 --reset-rate 1 \
            --chunks 2 --chunk-delay 0.5ms --dimensions 3 --compress --seed 4";
        let faults = Faults {
            latency: Duration::from_secs(1),
            latency_of: vec![
                ("m".to_owned(), Duration::from_millis(5)),
                ("a=b".to_owned(), Duration::from_secs(2)),
            ],
            latency_per_item: Duration::ZERO,
            jitter: Duration::from_millis(3),
            max_inputs: 7,
            max_tokens: 8,
            max_concurrent: 9,
            rpm: 10,
            error_rate: 0.5,
            timeout_rate: 0.25,
            reset_rate: 1.0,
            chunks: 2,
            chunk_delay: Duration::from_micros(500),
        };
        let arguments: Vec<_> = line.split_whitespace().collect();
        assert_eq!(
            parse(&arguments).unwrap(),
            Settings { faults, dimensions: 3, compress: true, seed: 4 }
        );
    }

    #[test]
    fn the_latency_of_a_model_names_model_and_time() {
        for text in ["m", "m=", "=5ms", "m=5", "m=fast", ""] {
            assert!(parse(&["--latency-of", text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_above_one_is_refused() {
        assert!(parse(&["--error-rate", "1.1"]).is_err());
        assert!(parse(&["--error-rate", "NaN"]).is_err());
    }
}
