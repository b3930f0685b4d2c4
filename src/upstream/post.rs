//! Short messages to who is no provider, over the same client.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Either, Full};
use tokio::time::timeout;

use super::failure::innermost;
use super::pool::Pools;
use crate::config::Config;
use crate::metrics::Metrics;

/// How much of an answer is read, so that its connection can be used again.
const MOST_READ: usize = 64 << 10;

/// A place that messages are sent to.
pub struct Post {
    pools: Pools,
    to: Uri,
    headers: HeaderMap,
    within: Duration,
}

impl Post {
    /// A URL, with the headers of each message and the time for it; opens nothing.
    pub fn new(url: &str, headers: HeaderMap, within: Duration) -> Result<Self, String> {
        let to = url.parse().map_err(|_| format!("{url} is not a URL"))?;
        // The client of a provider of which nothing is said.
        let text = format!("[providers.post]\nbase_url = \"{url}\"\n");
        let config = Config::read("post", &text, &[]).map_err(|_| format!("{url} is not a URL"))?;
        let provider = config.providers.get("post").ok_or("no provider")?;
        // Its series are nobody's.
        let metrics = Metrics::new().map_err(|error| error.to_string())?;
        let pools = Pools::of(provider, &metrics.upstream("post"))?;
        Ok(Self { pools, to, headers, within })
    }

    /// Sends one message; the status of its answer.
    pub async fn send(&self, body: Bytes) -> Result<StatusCode, String> {
        let body = Either::Left(Full::new(body));
        let mut request = Request::post(self.to.clone()).body(body).map_err(|e| e.to_string())?;
        request.headers_mut().clone_from(&self.headers);
        let sending = async {
            let response = self.pools.send(request).await.map_err(|error| innermost(&*error))?;
            let status = response.status();
            let rest = http_body_util::Limited::new(response.into_body(), MOST_READ);
            rest.collect().await.map_err(|error| error.to_string())?;
            Ok(status)
        };
        let sent = timeout(self.within, sending).await;
        sent.unwrap_or_else(|_| Err("no response in time".to_owned()))
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("to", &self.to).finish_non_exhaustive()
    }
}
