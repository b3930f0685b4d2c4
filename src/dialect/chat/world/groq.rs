//! Groq: compound systems search by themselves.

use super::{World, member, model};

pub(super) const ROWS: &[World] = &[
    model("groq/compound*", "https://console.groq.com/docs/compound"),
    model("compound-beta*", "https://console.groq.com/docs/compound"),
    member("compound_custom", "https://console.groq.com/docs/compound"),
    member("search_settings", "https://console.groq.com/docs/web-search"),
];
