//! The status page: its files, which hold no figures and so are open to everybody, and load nothing but
//! each other.

use http::{HeaderValue, Response, StatusCode, header};

use super::super::body::Body;
use super::answer;

/// A path, its media type, and what is there.
type File = (&'static str, &'static str, &'static [u8]);

const SCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: [File; 7] = [
    ("/", "text/html; charset=utf-8", include_bytes!("../page/page.html")),
    ("/page.css", "text/css; charset=utf-8", include_bytes!("../page/page.css")),
    ("/page.js", SCRIPT, include_bytes!("../page/page.js")),
    ("/history.js", SCRIPT, include_bytes!("../page/history.js")),
    ("/plot.js", SCRIPT, include_bytes!("../page/plot.js")),
    ("/text.js", SCRIPT, include_bytes!("../page/text.js")),
    ("/connect.js", SCRIPT, include_bytes!("../page/connect.js")),
];

/// Nothing inline, nothing from elsewhere, in nobody's frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The file of a path, if it is one of the page's.
pub(super) fn file(path: &str) -> Option<Response<Body>> {
    let (_, media_type, bytes) = FILES.iter().find(|(known, ..)| *known == path)?;
    let mut response = answer(StatusCode::OK, media_type, (*bytes).into());
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    Some(response)
}
