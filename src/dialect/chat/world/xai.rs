//! xAI: live search.

use super::{World, member};

pub(super) const ROWS: &[World] =
    &[member("search_parameters", "https://docs.x.ai/docs/guides/live-search")];
