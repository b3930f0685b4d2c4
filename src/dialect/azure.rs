//! Azure `OpenAI`: the deployment in the path is the model, whatever the body says.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method};

use super::shape::Shape;
use super::{
    Asked, Dialect, EmbedCall, EmbedReply, EmbedShape, Invalid, Limits, Unreadable, openai,
};
use crate::request::EmbedRequest;
use crate::vector::Vector;

/// Azure `OpenAI`.
#[derive(Debug)]
pub(super) struct Azure;

impl Dialect for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn credential(&self, _path: &str, _headers: &HeaderMap) -> (HeaderName, &'static str) {
        (HeaderName::from_static("api-key"), "")
    }

    fn credentials(&self) -> &'static [&'static str] {
        &["api-key", "authorization", "ocp-apim-subscription-key"]
    }

    fn embed(&self, method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
        match path {
            "/openai/v1/embeddings" | "/embeddings" if method == Method::POST => {
                Some(&openai::EMBEDDINGS)
            }
            _ if method == Method::POST && deployment(path).is_some() => Some(&Deployment),
            _ => None,
        }
    }
}

/// The deployment that a path without query names for embeddings. The Node SDK leaves `/openai` out
/// where it was given a whole base URL.
fn deployment(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/deployments/")?;
    let (deployment, endpoint) = rest.split_once('/')?;
    (endpoint == "embeddings" && !deployment.is_empty()).then_some(deployment)
}

/// `/openai/deployments/{deployment}/embeddings`.
#[derive(Debug)]
struct Deployment;

static FIELDS: Shape = Shape { needs_model: false, ..openai::SHAPE };

impl EmbedShape for Deployment {
    fn limits(&self) -> Limits {
        openai::LIMITS
    }

    fn read<'a>(&self, path: &str, body: &'a [u8]) -> Result<EmbedRequest<'a>, Unreadable> {
        let path = path.split('?').next().unwrap_or_default();
        let deployment = deployment(path).ok_or(Unreadable("no deployment"))?;
        let request = FIELDS.read(path, body)?;
        let model = Cow::Owned(deployment.to_owned());
        Ok(EmbedRequest { model, scope: "deployments".to_owned(), ..request })
    }

    fn write_call(&self, call: &EmbedCall<'_>) -> Vec<u8> {
        // The path says which model it is.
        FIELDS.write_call(&EmbedCall { model: "", ..*call })
    }

    fn read_reply(&self, body: &[u8], asked: Asked) -> Result<EmbedReply, Invalid> {
        FIELDS.read_reply(body, asked)
    }

    fn write_reply(&self, request: &EmbedRequest<'_>, vectors: &[Vector]) -> Vec<u8> {
        FIELDS.write_reply(request, vectors)
    }
}
