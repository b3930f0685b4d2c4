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

    /// A bound on inputs alone.
    pub(super) fn of_inputs(self) -> Self {
        Self { inputs: self.inputs.max(1), tokens: usize::MAX, bytes: usize::MAX }
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

    proptest! {
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
