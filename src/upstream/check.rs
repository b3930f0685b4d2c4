//! Whether a provider knows a credential: a call that costs nothing but the asking.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use super::{Answer, Call, Ticket, Upstream};
use crate::error::{Error, Kind};
use crate::key::Digest;
use crate::metrics::Operation;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a list may be that the provider answers with.
const MOST: usize = 4 << 20;

/// What a provider says of a credential.
#[derive(Debug, Clone)]
pub enum Finding {
    /// It knows it.
    Accepted,
    /// It does not, in its own words.
    Refused(Arc<Answer>),
    /// It did not say.
    Nothing,
}

impl Upstream {
    /// Asks the provider whether it knows the credential in a request's headers or path, and notes what
    /// it says.
    pub async fn check(&self, who: &Digest, (headers, path): (HeaderMap, &str)) -> Finding {
        let Some(standings) = &self.standings else { return Finding::Nothing };
        let asked = match self.dialect.check_path(path) {
            Some(path) => timeout(PATIENCE, self.list(headers, &path)).await.ok(),
            None => None,
        };
        match asked {
            Some(Ok(answer)) if answer.status.is_success() => {
                standings.answered(who, answer.status);
                Finding::Accepted
            }
            // Gemini says 400 to a key that it does not know, and there is nothing else to be wrong.
            Some(Ok(answer)) if is_no(answer.status) => {
                standings.answered(who, StatusCode::UNAUTHORIZED);
                Finding::Refused(Arc::new(answer))
            }
            _ => {
                standings.told_nothing(who);
                Finding::Nothing
            }
        }
    }

    async fn list(&self, mut headers: HeaderMap, path: &str) -> Result<Answer, Error> {
        for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::ACCEPT_ENCODING] {
            headers.remove(name);
        }
        let ticket = Ticket::patient(self.line(&headers, path, ""));
        let (path_and_query, body) = (path.to_owned(), Bytes::new());
        let call = Call { method: Method::GET, path_and_query, headers, body, cause: None };
        let (response, _permit) = self.open_in_turn(&ticket, &call, Operation::Relay).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MOST).collect().await;
        let body =
            body.map_err(|_| Error::new(Kind::UpstreamInvalid, "the list of models is too long"))?;
        let (status, headers) = (head.status, head.headers);
        let body = self.struck(body.to_bytes());
        Ok(Answer { status, headers, body, took: Duration::ZERO, call: None })
    }
}

fn is_no(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}
