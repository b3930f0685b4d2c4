//! What a sidecar's answer says of its inputs.

use http::HeaderMap;

/// How many of them were in the cache, joined others, and were asked for.
pub(super) fn items(headers: &HeaderMap) -> Option<[usize; 3]> {
    let header = headers.get("x-larder-items")?.to_str().ok()?;
    let mut items = [0; 3];
    let counts = header.split(',').filter_map(|part| part.split_once('=')?.1.parse().ok());
    items.iter_mut().zip(counts).for_each(|(item, count)| *item = count);
    Some(items)
}
