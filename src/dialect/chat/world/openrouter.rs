//! `OpenRouter`: a plugin, and the suffix that stands for it.

use super::{World, member, model};

pub(super) const ROWS: &[World] = &[
    member("plugins", "https://openrouter.ai/docs/features/web-search"),
    model("*:online", "https://openrouter.ai/docs/features/web-search"),
];
