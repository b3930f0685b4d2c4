//! Anthropic. Its web search is a tool; servers of the caller's choice are not.

use super::{World, member};

pub(super) const ROWS: &[World] =
    &[member("mcp_servers", "https://docs.anthropic.com/en/docs/agents-and-tools/mcp-connector")];
