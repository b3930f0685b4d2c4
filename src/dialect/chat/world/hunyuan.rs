//! Tencent Hunyuan.

use super::{World, member};

pub(super) const ROWS: &[World] = &[
    member("enable_enhancement", "https://cloud.tencent.com/document/product/1729/111007"),
    member("force_search_enhancement", "https://cloud.tencent.com/document/product/1729/111007"),
];
