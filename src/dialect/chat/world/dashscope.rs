//! `DashScope` (Model Studio).

use super::{World, member};

pub(super) const ROWS: &[World] = &[
    member("enable_search", "https://www.alibabacloud.com/help/en/model-studio/web-search"),
    member("search_options", "https://www.alibabacloud.com/help/en/model-studio/web-search"),
];
