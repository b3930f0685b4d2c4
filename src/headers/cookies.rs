//! Cookies of the networks in front of providers. They keep a client on one server or tell people from robots, and
//! change no response. HTTP clients of SDKs return them, so a cache key with them would change with every client.

use http::HeaderValue;

/// Names of such cookies. Cloudflare ("Cloudflare cookies"), Amazon ("Sticky sessions for your load balancer"),
/// Google ("Session affinity", `GCLB`), Azure ("Cookie-based affinity", App Service `ARRAffinity`).
const NAMES: &[&str] = &[
    "__cf_bm",
    "__cflb",
    "__cfruid",
    "_cfuvid",
    "cf_clearance",
    "ARRAffinity",
    "ARRAffinitySameSite",
    "ApplicationGatewayAffinity",
    "ApplicationGatewayAffinityCORS",
    "AWSALB",
    "AWSALBCORS",
    "AWSALBTG",
    "AWSALBTGCORS",
    "AWSELB",
    "AWSELBCORS",
    "GCLB",
];

/// Whether a `Cookie` header has cookies of such networks only, or none.
pub fn are_of_network(cookies: &HeaderValue) -> bool {
    let Ok(cookies) = cookies.to_str() else { return false };
    let mut cookies = cookies.split(';').map(str::trim).filter(|cookie| !cookie.is_empty());
    cookies.all(|cookie| cookie.split('=').next().is_some_and(|name| NAMES.contains(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_other_cookie_is_part_of_the_identity() {
        for (cookies, are) in [
            ("", true),
            ("__cf_bm=a.b=c; _cfuvid=x", true),
            ("AWSALB=1;", true),
            ("__cf_bm=a; session=provider", false),
            ("session", false),
            ("awsalb=1", false),
        ] {
            assert_eq!(are_of_network(&HeaderValue::from_static(cookies)), are, "{cookies}");
        }
    }
}
