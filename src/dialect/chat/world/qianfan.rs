//! Baidu Qianfan.

use super::{World, member};

pub(super) const ROWS: &[World] =
    &[member("web_search", "https://cloud.baidu.com/doc/qianfan-api/s/3m7of64lb")];
