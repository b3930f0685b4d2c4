//! How inputs are put together and taken apart: pure functions over sizes.

use crate::request::Input;

/// How much something holds, by the three measures that providers limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size {
    /// Inputs.
    pub(super) inputs: usize,
    /// Tokens, about.
    pub(super) tokens: usize,
    /// Bytes on the wire, about.
    pub(super) bytes: usize,
}

impl Size {
    /// Of one input.
    pub(super) fn of(input: &Input<'_>) -> Self {
        Self { inputs: 1, tokens: input.estimated_tokens(), bytes: input.bytes() }
    }

    /// Together with another.
    #[must_use]
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            inputs: self.inputs.saturating_add(other.inputs),
            tokens: self.tokens.saturating_add(other.tokens),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Which measure is over the limit first.
    pub(super) fn over(&self, limit: &Self) -> Option<ClosedBy> {
        match () {
            () if self.inputs > limit.inputs => Some(ClosedBy::Inputs),
            () if self.tokens > limit.tokens => Some(ClosedBy::Tokens),
            () if self.bytes > limit.bytes => Some(ClosedBy::Bytes),
            () => None,
        }
    }
}

/// Why a call left when it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClosedBy {
    /// There was nothing to wait for.
    Lone,
    /// The gap after the last call had passed.
    Linger,
    /// No room for another input.
    Inputs,
    /// No room for more tokens.
    Tokens,
    /// No room for more bytes.
    Bytes,
}

/// How many of the waiting requests go into the next call, and what closes it. The first always
/// goes; the others while all together stay within the limit.
pub(super) fn close(
    sizes: impl IntoIterator<Item = Size>,
    limit: &Size,
) -> (usize, Option<ClosedBy>) {
    let mut total = Size::default();
    let mut taken = 0;
    for size in sizes {
        total = total.plus(size);
        let over = total.over(limit);
        if taken > 0 && over.is_some() {
            return (taken, over);
        }
        taken += 1;
        if over.is_some() {
            return (taken, over);
        }
    }
    (taken, None)
}

/// Cuts a list into parts that each stay within the limit; an item that is over it by itself is a
/// part of its own. Keeps the order.
pub(super) fn cut<T>(items: Vec<T>, size: impl Fn(&T) -> Size, limit: &Size) -> Vec<Vec<T>> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut total = Size::default();
    for item in items {
        let next = total.plus(size(&item));
        match parts.last_mut() {
            Some(part) if next.over(limit).is_none() => {
                total = next;
                part.push(item);
            }
            _ => {
                total = size(&item);
                parts.push(vec![item]);
            }
        }
    }
    parts
}

/// Shares a count out by weight: the shares add up to the count, none is below 1 where the count
/// allows it, and each is its exact part rounded up or down (largest remainder).
pub(super) fn share(count: u64, weights: &[u64]) -> Vec<u32> {
    let people = weights.len() as u64;
    let (floor, rest) = if count >= people { (1, count - people) } else { (0, count) };
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if weights.iter().copied().sum::<u64>() == count {
        // Weighed in the provider's own unit: nothing to guess.
        return weights.iter().map(|weight| saturate(*weight)).collect();
    }
    let part = |weight: u64| (u128::from(rest) * u128::from(weight)).checked_div(sum).unwrap_or(0);
    let left = |weight: u64| (u128::from(rest) * u128::from(weight)).checked_rem(sum).unwrap_or(0);
    let mut shares: Vec<u64> =
        weights.iter().map(|w| floor + u64::try_from(part(*w)).unwrap_or(u64::MAX)).collect();
    let given: u64 = shares.iter().sum();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(weights.get(*at).map(|weight| left(*weight))));
    let short = usize::try_from(count.saturating_sub(given)).unwrap_or(usize::MAX);
    for at in order.into_iter().cycle().take(if people == 0 { 0 } else { short }) {
        if let Some(share) = shares.get_mut(at) {
            *share += 1;
        }
    }
    shares.into_iter().map(saturate).collect()
}

fn saturate(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(inputs: usize) -> Size {
        Size { inputs, tokens: inputs, bytes: inputs }
    }

    #[test]
    fn requests_are_taken_whole_while_they_fit() {
        let limit = Size { inputs: 10, tokens: 100, bytes: 100 };
        assert_eq!(close([size(4), size(4), size(4)], &limit), (2, Some(ClosedBy::Inputs)));
        assert_eq!(close([size(4), size(4)], &limit), (2, None));
        assert_eq!(close([size(40), size(1)], &limit), (1, Some(ClosedBy::Inputs)));
        assert_eq!(close([], &limit), (0, None));
    }

    #[test]
    fn token_counts_are_shared_exactly_where_they_are_known() {
        assert_eq!(share(6, &[1, 2, 3]), [1, 2, 3]);
        assert_eq!(share(0, &[5, 5]), [0, 0]);
        assert_eq!(share(1, &[5, 5]), [1, 0]);
        assert_eq!(share(10, &[]), Vec::<u32>::new());
        assert_eq!(share(7, &[0, 0]), [4, 3]);
    }

    proptest! {
        #[test]
        fn shares_add_up_and_nobody_goes_without(
            count in 0u64..1_000_000,
            weights in prop::collection::vec(0u64..100_000, 1..200),
        ) {
            let shares = share(count, &weights);
            prop_assert_eq!(shares.iter().map(|s| u64::from(*s)).sum::<u64>(), count);
            if count >= weights.len() as u64 && weights.iter().sum::<u64>() != count {
                prop_assert!(shares.iter().all(|share| *share >= 1));
            }
        }

        #[test]
        fn cutting_keeps_every_item_and_the_order_and_the_limit(
            items in prop::collection::vec(1usize..50, 0..200),
            limit in 1usize..60,
        ) {
            let bound = Size { inputs: usize::MAX, tokens: limit, bytes: usize::MAX };
            let of = |item: &usize| Size { inputs: 1, tokens: *item, bytes: *item };
            let parts = cut(items.clone(), of, &bound);
            prop_assert_eq!(parts.concat(), items);
            for part in parts {
                prop_assert!(part.len() == 1 || part.iter().sum::<usize>() <= limit);
            }
        }
    }
}
