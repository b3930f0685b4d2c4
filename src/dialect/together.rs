//! Together, whose answers have no `usage`.

use super::compatible::Compatible;
use super::openai;
use super::shape::{Encodings, Shape};

/// Together.
pub(super) static TOGETHER: Compatible = Compatible {
    name: "together",
    embeddings: &Shape { params: &[], encodings: Encodings::Asked, ..openai::SHAPE },
};
