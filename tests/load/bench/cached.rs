//! What a target says of its cache: `x-larder-items`, or else `Cache-Status` (RFC 9211).

use http::HeaderMap;

/// Of how many inputs an answer was cached, joined to others' calls, or asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cached {
    pub(crate) hit: u64,
    pub(crate) joined: u64,
    pub(crate) miss: u64,
}

impl Cached {
    /// What the head of an answer to so many inputs says, if anything.
    pub(crate) fn read(headers: &HeaderMap, inputs: u64) -> Option<Self> {
        if let Some(items) = headers.get("x-larder-items") {
            return Self::items(items.to_str().ok()?);
        }
        let status = headers.get("cache-status")?.to_str().ok()?;
        // The last member is the cache that is nearest to the client.
        let nearest = status.rsplit(',').next()?;
        let says = |word: &str| nearest.split(';').any(|part| part.trim() == word);
        let (hit, joined) = (says("hit"), says("collapsed"));
        Some(match (hit, joined) {
            (true, _) => Self { hit: inputs, ..Self::default() },
            (_, true) => Self { joined: inputs, ..Self::default() },
            _ => Self { miss: inputs, ..Self::default() },
        })
    }

    fn items(text: &str) -> Option<Self> {
        let mut found = Self::default();
        for part in text.split(',') {
            let (name, count) = part.trim().split_once('=')?;
            let count = count.parse().ok()?;
            match name {
                "hit" => found.hit = count,
                "collapsed" => found.joined = count,
                "miss" => found.miss = count,
                _ => return None,
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(name: &'static str, value: &'static str) -> Option<[u64; 3]> {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )]);
        Cached::read(&headers, 4).map(|found| [found.hit, found.joined, found.miss])
    }

    #[test]
    fn both_headers_are_understood_and_others_are_not() {
        assert_eq!(read("x-larder-items", "hit=2, collapsed=1, miss=7"), Some([2, 1, 7]));
        assert_eq!(read("x-larder-items", "hit=two"), None);
        assert_eq!(read("cache-status", "larder; hit; detail=memory"), Some([4, 0, 0]));
        assert_eq!(read("cache-status", "larder; fwd=miss; collapsed"), Some([0, 4, 0]));
        assert_eq!(read("cache-status", "larder; fwd=miss; stored"), Some([0, 0, 4]));
        assert_eq!(read("cache-status", "edge; hit, larder; fwd=miss"), Some([0, 0, 4]));
        assert_eq!(read("x-cache", "HIT"), None);
    }
}
