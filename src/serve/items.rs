//! The inputs of a request, counted by the source of their vectors.

use std::borrow::Cow;

use crate::ledger::Inputs;

/// The inputs of a request, by the source of their vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Items {
    /// From the cache.
    pub hit: usize,
    /// With another request's call, or with an equal input of the same request.
    pub collapsed: usize,
    /// By asking the provider.
    pub miss: usize,
}

impl Items {
    /// As the ledger has them.
    pub fn counted(self) -> Inputs {
        let Self { hit, collapsed, miss } = self;
        Inputs { hit: hit as u64, collapsed: collapsed as u64, miss: miss as u64 }
    }

    /// The value of `x-larder-items`.
    pub fn header(&self) -> Cow<'static, str> {
        if *self == (Self { hit: 1, collapsed: 0, miss: 0 }) {
            return "hit=1, collapsed=0, miss=0".into();
        }
        let mut text = String::with_capacity(40);
        let mut number = itoa::Buffer::new();
        for (name, count) in
            [("hit=", self.hit), (", collapsed=", self.collapsed), (", miss=", self.miss)]
        {
            text.push_str(name);
            text.push_str(number.format(count));
        }
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_counted_in_one_header() {
        let items = Items { hit: 24, collapsed: 1, miss: 7 };
        assert_eq!(items.header(), "hit=24, collapsed=1, miss=7");
    }
}
