//! Responses that come compressed although larder asked for none, where its own key must be found in them.

use http::{Response, header};
use hyper::body::Body;
use tokio::time::timeout;

use super::Upstream;
use super::pool::Arriving;
use crate::error::Error;
use crate::whole;

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
        let limit = self.settings.max_reply.as_usize();
        let mut room = self.answers.room();
        let reading = async {
            let codings = head.headers.get_all(header::CONTENT_ENCODING).iter();
            let codings: Vec<&str> = codings.map(|one| one.to_str().unwrap_or("unknown")).collect();
            let body = whole::collect(body, limit, &mut room).await;
            let body = body.map_err(|why| self.unread(why))?;
            let plain = whole::decode(&codings.join(","), &body, limit, &mut room).await;
            plain.map_err(|why| self.unread(why))
        };
        let limit = self.settings.total_timeout;
        let late = |_| Err(self.late("complete response", "total_timeout", limit));
        let body = timeout(limit, reading).await.unwrap_or_else(late)?;
        room.keep(body.len());
        head.headers.remove(header::CONTENT_ENCODING);
        head.headers.remove(header::CONTENT_LENGTH);
        Ok(Response::from_parts(head, Arriving::whole(room.around(body))))
    }
}
