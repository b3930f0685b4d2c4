//! Cohere, version 1: connectors search before the model answers.

use super::{World, member};

pub(super) const ROWS: &[World] =
    &[member("connectors", "https://docs.cohere.com/v1/reference/chat")];
