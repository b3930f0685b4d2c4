//! vLLM. What it does with a text is in the request; how the numbers are packed, too.

use super::compatible::Compatible;
use super::shape::Shape;
use super::{Limits, openai};

/// vLLM.
pub(super) static VLLM: Compatible = Compatible {
    name: "vllm",
    embeddings: &Shape {
        params: &[
            "add_special_tokens",
            "dimensions",
            "embed_dtype",
            "endianness",
            "normalize",
            "truncate_prompt_tokens",
            "truncation_side",
            "use_activation",
        ],
        harmless: &["priority", "request_id"],
        forms: &[
            ("embed_dtype", &[r#""float32""#, "null"]),
            ("endianness", &[r#""little""#, r#""native""#, "null"]),
        ],
        limits: Limits {
            inputs: usize::MAX,
            input_tokens: usize::MAX,
            tokens: usize::MAX,
            ..openai::LIMITS
        },
        ..openai::SHAPE
    },
};
