//! A client of a server that the command line knows the address of.

use std::sync::Arc;

use crate::config::Config;
use crate::dialect;
use crate::upstream::{Around, Upstream};

/// Credentials for every provider, which a sidecar takes, and the `key` of an entry.
const FORWARDED: &str = "\"access_token\", \"api-key\", \"api_key\", \"key\", \
    \"ocp-apim-subscription-key\", \"x-api-key\", \"x-goog-api-key\"";

/// A client that speaks as `OpenAI`'s do; opens nothing yet.
pub(super) fn connect(name: &str, base_url: &str) -> Result<Arc<Upstream>, String> {
    let file = format!(
        "[providers.openai]\nbase_url = \"{base_url}\"\nmax_connections = 200\n\
         credentials_in = [{FORWARDED}]\n"
    );
    let config = Config::read(name, &file, &[]).map_err(|problems| format!("{problems:?}"))?;
    let provider = config.providers.get("openai").ok_or("no provider")?.clone();
    let dialect = dialect::named("openai").ok_or("no dialect")?;
    Upstream::new(name, dialect, provider, Around::nobody(name)?).map(Arc::new)
}
