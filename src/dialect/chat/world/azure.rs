//! Azure `OpenAI` on your data: an index of the caller.

use super::{World, member};

const SOURCE: &str = "https://learn.microsoft.com/azure/ai-services/openai/references/on-your-data";

pub(super) const ROWS: &[World] = &[member("data_sources", SOURCE), member("dataSources", SOURCE)];
