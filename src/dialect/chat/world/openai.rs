//! `OpenAI`: an option of chats, and models that search by themselves.

use super::{World, member, model};

pub(super) const ROWS: &[World] = &[
    member(
        "web_search_options",
        "https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat",
    ),
    model("*-search-preview*", "https://platform.openai.com/docs/models/gpt-4o-search-preview"),
    model("*-search-api*", "https://platform.openai.com/docs/models/gpt-5-search-api"),
    model("*-deep-research*", "https://platform.openai.com/docs/guides/deep-research"),
];
