//! Credentials that are not sent: those in places that the provider's dialect does not use.

use std::borrow::Cow;

use http::{Method, Request};

use super::Upstream;
use crate::credential;
use crate::error::{Error, Kind};

impl Upstream {
    /// Withholds the credentials that the dialect does not use: they are meant for another provider, and a
    /// wrong path brought them here.
    ///
    /// A parameter may have another meaning where larder takes it for a credential, such as the key of an
    /// entry. Without it a DELETE could reach all entries; so such a request is an error.
    pub(super) fn withhold<'p, B>(
        &self,
        request: &mut Request<B>,
        path_and_query: &'p str,
    ) -> Result<Cow<'p, str>, Error> {
        let known = self.dialect.credentials();
        let more = &self.settings.credentials_in;
        let takes = |name: &str| {
            known.contains(&name) || more.iter().any(|more| more.eq_ignore_ascii_case(name))
        };
        let (path, withheld) = credential::withhold(request.headers_mut(), path_and_query, takes);
        let is_narrower = path.len() < path_and_query.len();
        if is_narrower && matches!(*request.method(), Method::DELETE | Method::PUT | Method::PATCH)
        {
            let message = format!(
                "the query has a credential in a parameter that {} does not use (key, api_key, api-key or \
                 access_token); list the parameter in providers.{}.credentials_in to forward it",
                self.name, self.name
            );
            return Err(Error::new(Kind::BadRequest, message));
        }
        if withheld {
            self.withheld.call_once(|| {
                tracing::warn!(
                    upstream = self.name,
                    takes = known.join(", "),
                    "a credential was not forwarded: the provider's dialect does not use its header or \
                     parameter; check the path, or set credentials_in (logged once)"
                );
            });
        }
        Ok(path)
    }
}
