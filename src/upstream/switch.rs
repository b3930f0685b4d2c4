//! Changes of protocol: only those that the request offered (RFC 9110, section 7.8).

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::Upstream;
use crate::error::{Error, Kind};

impl Upstream {
    /// The error for a response that switches to a protocol which its request did not offer.
    pub(super) fn check_switch<B>(
        &self,
        offered: Option<&HeaderValue>,
        response: &Response<B>,
    ) -> Result<(), Error> {
        let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if !switches || is_agreed(offered, response.headers()) {
            return Ok(());
        }
        let message = format!("{} switched to a protocol that was not offered", self.name);
        Err(Error::new(Kind::UpstreamInvalid, message))
    }
}

fn is_agreed(offered: Option<&HeaderValue>, headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_ascii_lowercase);
    let (offered, agreed) = (offered.and_then(text), headers.get(header::UPGRADE).and_then(text));
    offered
        .zip(agreed)
        .is_some_and(|(offered, agreed)| offered.split(',').any(|one| one.trim() == agreed.trim()))
}
