//! The file of one input's vector. The input itself is not in it.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use base64_simd::STANDARD;
use httpdate::fmt_http_date;
use serde::{Deserialize, Serialize};

use super::Question;
use super::exchange::{VERSION, known, written, wrong};
use crate::vector::Vector;

/// The file of a vector.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Embedding {
    larder_recording: u32,
    pub(super) provider: String,
    pub(super) path: String,
    pub(super) model: String,
    recorded: String,
    dimensions: usize,
    /// As tiers keep it.
    vector: String,
}

impl Embedding {
    pub(super) fn of(question: &Question, vector: &Vector) -> Self {
        Self {
            larder_recording: VERSION,
            provider: question.provider.clone(),
            path: question.path.clone(),
            model: question.model.clone(),
            recorded: fmt_http_date(SystemTime::now()),
            dimensions: vector.dimensions(),
            vector: STANDARD.encode_to_string(vector.bytes()),
        }
    }

    pub(super) fn read(text: &[u8]) -> io::Result<(Self, Vector)> {
        let embedding: Self = serde_json::from_slice(text)?;
        known(embedding.larder_recording)?;
        let bytes = STANDARD.decode_to_vec(embedding.vector.as_bytes());
        let bytes: Arc<[u8]> = bytes.map_err(|_| wrong("vector: expected base64"))?.into();
        let vector = Vector::view(bytes).ok_or_else(|| wrong("vector: not a valid vector"))?;
        Ok((embedding, vector))
    }

    pub(super) fn write(&self) -> Vec<u8> {
        written(self)
    }
}
