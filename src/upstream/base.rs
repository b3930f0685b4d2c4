//! Paths below a provider's base URL, whose version segment is not doubled.

use super::Upstream;

impl Upstream {
    /// A path below the base URL, without a version segment that the base has already.
    pub fn below_base<'p>(&self, mut path_and_query: &'p str) -> &'p str {
        let Some((_, version)) = self.base_path.rsplit_once('/') else { return path_and_query };
        if !is_version(version) {
            return path_and_query;
        }
        while let Some(rest) =
            path_and_query.strip_prefix('/').and_then(|path| path.strip_prefix(version))
            && (rest.is_empty() || rest.starts_with(['/', '?']))
        {
            path_and_query = rest;
        }
        path_and_query
    }
}

/// Whether a path segment is a version: `v1`, `v1beta`.
pub fn is_version(segment: &str) -> bool {
    let mut chars = segment.chars();
    chars.next() == Some('v')
        && chars.next().is_some_and(|c| c.is_ascii_digit())
        && chars.all(|c| c.is_ascii_alphanumeric())
}
