//! Responses that come compressed although larder asked for none, where its own key must be found in them.

use http::{Response, header};
use hyper::body::Body;
use tokio::time::timeout;

use super::Upstream;
use super::pool::Arriving;
use crate::error::Error;

impl Upstream {
    /// Whether larder's own key could be hidden in a response by its coding.
    pub(super) fn hides_own_key(&self, response: &Response<Arriving>) -> bool {
        let mut codings = response.headers().get_all(header::CONTENT_ENCODING).iter();
        self.own_key.is_some()
            && !response.body().is_end_stream()
            && codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    }

    /// The response, decompressed. It is read to its end for that; a stream comes in one piece. The refused
    /// alternative is to forward it unread, with the key.
    pub(super) async fn in_clear(
        &self,
        response: Response<Arriving>,
    ) -> Result<Response<Arriving>, Error> {
        let (mut head, body) = response.into_parts();
        let codings = head.headers.get_all(header::CONTENT_ENCODING).iter();
        let codings: Vec<&str> = codings.map(|one| one.to_str().unwrap_or("unknown")).collect();
        let codings = codings.join(",");
        let limit = self.settings.total_timeout;
        let late = |_| Err(self.late("complete response", "total_timeout", limit));
        let reading = self.collect(body, Some(&codings));
        let (body, room) = timeout(limit, reading).await.unwrap_or_else(late)?;
        head.headers.remove(header::CONTENT_ENCODING);
        head.headers.remove(header::CONTENT_LENGTH);
        Ok(Response::from_parts(head, Arriving::whole(room.around(body))))
    }
}
