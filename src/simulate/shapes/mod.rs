//! The embedding endpoints of the providers that do not speak as `OpenAI` does, each on its own
//! path; those that share a path with `OpenAI` are below their name, as in `/voyage/v1/embeddings`.

mod question;
mod refusal;
mod reply;

use std::sync::Arc;

use http::{Method, Response, StatusCode};
use serde_json::Value;

use self::question::Question;
use self::refusal::Trouble;
use super::POISON;
use super::bill::Bill;
use super::provider::Provider;
use super::reply::{self as wire, Body};

/// An endpoint's way of speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `/openai/deployments/{deployment}/embeddings`.
    Azure,
    /// `/v1/embed`.
    CohereV1,
    /// `/v2/embed`.
    CohereV2,
    /// `:embedContent`.
    GeminiOne,
    /// `:batchEmbedContents`.
    GeminiBatch,
    /// `/mistral/v1/embeddings`.
    Mistral,
    /// `/v1/embedding/text`.
    Nomic,
    /// `/api/embed`.
    OllamaEmbed,
    /// `/api/embeddings`.
    OllamaEmbeddings,
    /// `/embed`.
    Tei,
    /// `/tei/v1/embeddings`.
    TeiCompatible,
    /// `/together/v1/embeddings`.
    Together,
    /// `/voyage/v1/embeddings`.
    Voyage,
}

impl Shape {
    /// The shape of an endpoint, if it is none of `OpenAI`'s.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        if method != Method::POST {
            return None;
        }
        match path {
            "/v1/embed" => Some(Self::CohereV1),
            "/v2/embed" => Some(Self::CohereV2),
            "/mistral/v1/embeddings" => Some(Self::Mistral),
            "/v1/embedding/text" => Some(Self::Nomic),
            "/api/embed" => Some(Self::OllamaEmbed),
            "/api/embeddings" => Some(Self::OllamaEmbeddings),
            "/embed" => Some(Self::Tei),
            "/tei/v1/embeddings" => Some(Self::TeiCompatible),
            "/together/v1/embeddings" => Some(Self::Together),
            "/voyage/v1/embeddings" => Some(Self::Voyage),
            _ if path.ends_with(":embedContent") => Some(Self::GeminiOne),
            _ if path.ends_with(":batchEmbedContents") => Some(Self::GeminiBatch),
            _ if path.contains("/deployments/") && path.ends_with("/embeddings") => {
                Some(Self::Azure)
            }
            _ => None,
        }
    }

    /// Answers a call; nothing if the connection is to be cut.
    pub(super) async fn answer(
        self,
        provider: &Arc<Provider>,
        path: &str,
        body: &[u8],
    ) -> Option<Response<Body>> {
        let (status, said) = match self.attempt(provider, path, body).await {
            Ok(said) => (StatusCode::OK, said),
            Err(Trouble::Cut) => return None,
            Err(Trouble::Refused(status, message)) => {
                provider.stats().error(status);
                (status, self.refusal(status, &message))
            }
        };
        Some(wire::json(status, said.to_string()))
    }

    async fn attempt(
        self,
        provider: &Arc<Provider>,
        path: &str,
        body: &[u8],
    ) -> Result<Value, Trouble> {
        provider.stats().embedding_request();
        let call = provider.admit()?;
        let question = Question::read(self, path, body)
            .ok_or_else(|| Trouble::bad("the request is invalid"))?;
        let most = call.faults().max_inputs;
        if question.inputs.len() > most {
            return Err(Trouble::bad(self.too_many(most)));
        }
        let tokens = question.tokens();
        let max_tokens = call.faults().max_tokens;
        if tokens > max_tokens {
            let message = format!("max allowed tokens per submitted batch is {max_tokens}");
            return Err(Trouble::bad(message));
        }
        if question.inputs.iter().any(|input| input.contains(POISON)) {
            return Err(Trouble::bad("an input is invalid"));
        }
        call.survive(&question.model).await?;
        let digests = question.digests(provider.dimensions());
        provider.stats().batch(&digests);
        provider.bill(&question.model, &Bill::of_input(tokens));
        call.work(&question.model, digests.len()).await;
        let dimensions = question.dimensions.unwrap_or(provider.dimensions());
        Ok(self.reply(&question, &digests, dimensions))
    }
}
