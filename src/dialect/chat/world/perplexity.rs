//! Perplexity: all of its own models search.

use super::{World, model};

pub(super) const ROWS: &[World] =
    &[model("sonar*", "https://docs.perplexity.ai/getting-started/models")];
