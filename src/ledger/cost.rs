//! The cost of a call: the usage that the provider reported, at the prices of its model.

use crate::config::{Price, RATES, Rates, Tiers};
use crate::usage::{Kind, Tier, Tokens, Usage};

// The members of a price are in the order of the kinds.
const _: () = assert!(RATES.len() == Kind::ALL.len());

/// The cost of a call, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Cost {
    /// The price of the call.
    pub(super) dollars: f64,
    /// The part that the provider's prompt cache took off: cached input at the full price, less its own.
    pub(super) cache_saved: f64,
    /// The part that writes to the provider's prompt cache added to the full price of their input.
    pub(super) cache_spent: f64,
}

/// The cost of a call. `None` if the price list lacks something that the call used: it is not guessed.
pub(super) fn cost(price: Option<&Price>, usage: &Usage) -> Option<Cost> {
    if *usage == (Usage { tier: usage.tier, ..Usage::default() }) {
        return Some(Cost::default());
    }
    let listed = price.and_then(|price| listed(price, usage));
    match usage.dollars {
        // The provider's own figure.
        Some(dollars) => Some(Cost { dollars, ..listed.unwrap_or_default() }),
        None => listed,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a call has less than 2^52 tokens")]
fn listed(price: &Price, usage: &Usage) -> Option<Cost> {
    let rates = rates(tiers(price, &usage.tokens), usage.tier)?;
    let mut cost = Cost::default();
    for (kind, tokens) in usage.tokens.each().filter(|(_, tokens)| *tokens > 0) {
        let millions = tokens as f64 / 1e6;
        let rate = rate(&rates, kind)?;
        cost.dollars += millions * rate;
        let full = own(&rates, Kind::Input).unwrap_or(rate);
        match kind {
            Kind::CacheRead => cost.cache_saved += millions * (full - rate).max(0.0),
            Kind::CacheWrite | Kind::CacheWrite1h => {
                cost.cache_spent += millions * (rate - full).max(0.0);
            }
            _ => {}
        }
    }
    let factor = factor(usage.is_fast, price.fast)? * factor(usage.is_us, price.us)?;
    cost.dollars *= factor;
    cost.cache_saved *= factor;
    cost.cache_spent *= factor;
    if usage.searches > 0 {
        cost.dollars += usage.searches as f64 / 1e3 * price.search?;
    }
    Some(cost)
}

/// The rates of the last step that the prompt reaches.
fn tiers<'p>(price: &'p Price, tokens: &Tokens) -> &'p Tiers {
    let prompt = tokens.input();
    let reached = price.steps.iter().rev().find(|(above, _)| prompt > *above);
    reached.map_or(&price.tiers, |(_, tiers)| tiers)
}

fn rates(tiers: &Tiers, tier: Tier) -> Option<Rates> {
    match tier {
        Tier::Standard => Some(tiers.standard),
        Tier::Flex => tiers.flex,
        Tier::Priority => tiers.priority,
        Tier::Other => None,
    }
}

/// The rate of a kind. A list that has no rate for a kind bills it as the plain one, but for the cache of an
/// hour, which is dearer everywhere.
fn rate(rates: &Rates, kind: Kind) -> Option<f64> {
    let plain = match kind {
        Kind::CacheWrite1h => return own(rates, kind),
        kind if kind.is_input() => Kind::Input,
        _ => Kind::Output,
    };
    own(rates, kind).or_else(|| own(rates, plain))
}

fn own(rates: &Rates, kind: Kind) -> Option<f64> {
    rates.0.get(kind as usize).copied().flatten()
}

fn factor(applies: bool, factor: Option<f64>) -> Option<f64> {
    if applies { factor } else { Some(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price() -> Price {
        let rates = |rates: [f64; 8]| Rates(rates.map(Some));
        let standard = rates([2.0, 0.2, 2.5, 4.0, 8.0, 12.0, 13.0, 40.0]);
        let flex = Some(rates([1.0; 8]));
        let long = Tiers { standard: rates([4.0; 8]), ..Tiers::default() };
        Price {
            tiers: Tiers { standard, flex, priority: None },
            steps: vec![(1_000_000, long), (2_000_000, Tiers::default())],
            search: Some(10.0),
            fast: Some(6.0),
            us: None,
        }
    }

    fn usage(kind: Kind, tokens: u64) -> Usage {
        Usage { tokens: Tokens::of(kind, tokens), ..Usage::default() }
    }

    fn dollars(usage: &Usage) -> Option<f64> {
        cost(Some(&price()), usage).map(|cost| cost.dollars)
    }

    #[test]
    fn every_kind_has_its_rate_and_the_rates_are_in_the_order_of_the_kinds() {
        for (kind, name) in Kind::ALL.into_iter().zip(RATES) {
            assert_eq!(kind.label(), name);
            let rate = price().tiers.standard.0[kind as usize];
            assert_eq!(dollars(&usage(kind, 1_000_000)), rate, "{name}");
        }
        let sparse = Price::plain(3.0, 9.0);
        for (kind, rate) in [
            (Kind::CacheRead, Some(3.0)),
            (Kind::AudioInput, Some(3.0)),
            (Kind::Thinking, Some(9.0)),
            (Kind::CacheWrite1h, None),
        ] {
            let cost = cost(Some(&sparse), &usage(kind, 1_000_000));
            assert_eq!(cost.map(|cost| cost.dollars), rate, "{kind:?}");
        }
    }

    #[test]
    fn tiers_steps_factors_and_searches_count_and_none_of_them_is_guessed() {
        let million = usage(Kind::Input, 1_000_000);
        assert_eq!(dollars(&Usage { tier: Tier::Flex, ..million }), Some(1.0));
        assert_eq!(dollars(&Usage { tier: Tier::Priority, ..million }), None);
        assert_eq!(dollars(&Usage { tier: Tier::Other, ..million }), None);
        assert_eq!(dollars(&Usage { is_fast: true, ..million }), Some(12.0));
        assert_eq!(dollars(&Usage { is_us: true, ..million }), None);
        assert_eq!(dollars(&Usage { searches: 100, ..million }), Some(3.0));
        assert_eq!(dollars(&usage(Kind::Input, 2_000_000)), Some(8.0), "the whole call");
        assert_eq!(dollars(&usage(Kind::Input, 3_000_000)), None);
        assert_eq!(dollars(&Usage { dollars: Some(0.5), is_us: true, ..million }), Some(0.5));
        assert_eq!(cost(None, &million), None);
    }

    #[test]
    fn the_providers_own_cache_saves_and_spends() {
        let read = cost(Some(&price()), &usage(Kind::CacheRead, 1_000_000)).unwrap();
        assert!((read.cache_saved - 1.8).abs() < 1e-9 && read.cache_spent == 0.0);
        let written = cost(Some(&price()), &usage(Kind::CacheWrite, 1_000_000)).unwrap();
        assert!((written.cache_spent - 0.5).abs() < 1e-9 && written.cache_saved == 0.0);
    }
}
