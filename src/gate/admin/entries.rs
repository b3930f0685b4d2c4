//! What is kept, for an operator: to be forgotten.

use std::fmt::Write;

use http::{Response, StatusCode};

use super::super::body::Body;
use super::super::route::Routes;
use super::{Admin, answer, text};
use crate::tier::purge::Reach;

impl Admin {
    /// Forgets what the filters say, in every tier. What cannot be read is refused rather than taken
    /// for "everything".
    pub(super) async fn purge(&self, query: Option<&str>) -> Response<Body> {
        let proxy = self.current.get();
        let reaches = match reaches(&proxy.routes, query.unwrap_or_default()) {
            Ok(reaches) => reaches,
            Err(message) => return text(StatusCode::BAD_REQUEST, &format!("{message}\n")),
        };
        let purged = proxy.service.tiers.purge(&reaches).await;
        tracing::info!(entries = purged, "the cache was purged");
        let mut body = String::new();
        writeln!(body, "{{\"purged\":{purged}}}").expect("writing to a String cannot fail");
        answer(StatusCode::OK, "application/json", body.into())
    }
}

/// What a purge is for.
fn reaches(routes: &Routes, query: &str) -> Result<Vec<Reach>, String> {
    let known = |name: &str| routes.upstreams().any(|upstream| upstream.name == name);
    let (mut provider, mut model) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "provider" => provider = Some(value.into_owned()),
            "model" => model = Some(value.into_owned()),
            _ => return Err(format!("{name:?}: unknown filter; known are: provider, model")),
        }
    }
    if let Some(name) = provider.as_ref().filter(|name| !known(name)) {
        return Err(format!("{name:?}: unknown provider"));
    }
    Ok(match (provider, model) {
        (None, None) => vec![Reach::Everything],
        (Some(provider), None) => vec![Reach::Upstream(provider)],
        (Some(provider), Some(model)) => vec![Reach::Model(provider, model)],
        (None, Some(model)) => {
            let names = routes.upstreams().map(|upstream| upstream.name.clone());
            names.map(|provider| Reach::Model(provider, model.clone())).collect()
        }
    })
}
