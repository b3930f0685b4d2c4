//! The price of one model.

use toml::{Table, Value};

/// The members of a price that are for a million tokens, in the order of the kinds of tokens that are billed.
pub const RATES: [&str; 8] = [
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "audio_input",
    "output",
    "thinking",
    "audio_output",
];

/// US dollars for a million tokens, by kind. `None`: the list has no price of its own for the kind.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates(pub [Option<f64>; RATES.len()]);

/// Rates by service tier. `None`: the tier is not sold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tiers {
    /// The list price.
    pub standard: Rates,
    /// Slower and cheaper.
    pub flex: Option<Rates>,
    /// Faster and dearer.
    pub priority: Option<Rates>,
}

/// The price of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Price {
    /// For a short prompt.
    pub tiers: Tiers,
    /// For prompts of more than so many tokens, ascending. The whole call has the rates of the last step
    /// that it reaches.
    pub steps: Vec<(u64, Tiers)>,
    /// US dollars for a thousand searches.
    pub search: Option<f64>,
    /// Factor of Anthropic's fast mode.
    pub fast: Option<f64>,
    /// Factor of inference within the United States only.
    pub us: Option<f64>,
}

impl Price {
    /// A price of input and output only.
    pub fn plain(input: f64, output: f64) -> Self {
        let mut rates = Rates::default();
        let kinds = RATES.iter().zip(&mut rates.0);
        for (kind, rate) in kinds {
            match *kind {
                "input" => *rate = Some(input),
                "output" => *rate = Some(output),
                _ => {}
            }
        }
        Self { tiers: Tiers { standard: rates, ..Tiers::default() }, ..Self::default() }
    }

    /// Reads an entry of a file. An error names the member.
    pub(super) fn read(entry: &Table) -> Result<Self, String> {
        let mut price = Self { tiers: tiers(entry)?, ..Self::default() };
        for (name, value) in entry {
            match name.as_str() {
                "steps" => price.steps = steps(value)?,
                "search" => price.search = Some(number(name, value)?),
                "fast" => price.fast = Some(number(name, value)?),
                "us" => price.us = Some(number(name, value)?),
                "flex" | "priority" => {}
                name if RATES.contains(&name) => {}
                name => return Err(unknown(name)),
            }
        }
        Ok(price)
    }
}

fn steps(value: &Value) -> Result<Vec<(u64, Tiers)>, String> {
    let wrong = "steps: expected a list of tables, each with `above`";
    let mut steps = Vec::new();
    for step in value.as_array().ok_or(wrong)? {
        let mut step = step.as_table().ok_or(wrong)?.clone();
        let above = step.remove("above").and_then(|above| above.as_integer()).ok_or(wrong)?;
        let is_known = |name: &&String| {
            matches!(name.as_str(), "flex" | "priority") || RATES.contains(&name.as_str())
        };
        if let Some(name) = step.keys().find(|name| !is_known(name)) {
            return Err(format!("steps: {}", unknown(name)));
        }
        steps.push((u64::try_from(above).map_err(|_| wrong)?, tiers(&step)?));
    }
    steps.sort_by_key(|(above, _)| *above);
    Ok(steps)
}

fn tiers(entry: &Table) -> Result<Tiers, String> {
    let tier = |name: &str| match entry.get(name) {
        None => Ok(None),
        Some(Value::Table(table)) => {
            let unknown_name = table.keys().find(|name| !RATES.contains(&name.as_str()));
            match unknown_name {
                Some(member) => Err(format!("{name}: {}", unknown(member))),
                None => rates(table).map(Some),
            }
        }
        Some(_) => Err(format!("{name}: expected a table of prices")),
    };
    Ok(Tiers { standard: rates(entry)?, flex: tier("flex")?, priority: tier("priority")? })
}

fn rates(entry: &Table) -> Result<Rates, String> {
    let mut rates = Rates::default();
    for (name, rate) in RATES.iter().zip(&mut rates.0) {
        *rate = entry.get(*name).map(|value| number(name, value)).transpose()?;
    }
    Ok(rates)
}

#[expect(clippy::cast_precision_loss, reason = "a price")]
fn number(name: &str, value: &Value) -> Result<f64, String> {
    let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
    number
        .filter(|number| is_price(*number))
        .ok_or_else(|| format!("{name}: expected US dollars, a number of at least 0, got {value}"))
}

/// Whether a number can be a price.
pub(super) fn is_price(dollars: f64) -> bool {
    dollars.is_finite() && dollars >= 0.0
}

fn unknown(name: &str) -> String {
    format!(
        "{name}: unknown member; known are {}, flex, priority, steps, search, fast, us",
        RATES.join(", ")
    )
}
