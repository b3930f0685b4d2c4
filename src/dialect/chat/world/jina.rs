//! Jina: a model that searches and reads by itself.

use super::{World, model};

pub(super) const ROWS: &[World] = &[model("jina-deepsearch*", "https://jina.ai/deepsearch")];
