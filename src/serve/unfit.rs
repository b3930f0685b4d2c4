//! Requests that were forwarded although the cache had an entry for them.

use crate::tier::{Freshness, Stored};

/// The entry of a request that was forwarded all the same (RFC 9211, section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unfit {
    /// There was none.
    #[default]
    Missing,
    /// It had expired.
    Expired,
    /// It was older than the request's `max-age`.
    TooOld,
}

impl Unfit {
    /// Of several entries: the expired ones count first.
    pub(super) fn of(entries: impl Iterator<Item = Stored>, fresh: &Freshness) -> Self {
        let of = |stored: Stored| match fresh.now < stored.expires {
            true if fresh.accepts(&stored) => Self::Missing,
            true => Self::TooOld,
            false => Self::Expired,
        };
        entries.map(of).fold(Self::Missing, |one, other| match (one, other) {
            (Self::Expired, _) | (_, Self::Expired) => Self::Expired,
            (Self::TooOld, _) | (_, Self::TooOld) => Self::TooOld,
            (Self::Missing, Self::Missing) => Self::Missing,
        })
    }
}
