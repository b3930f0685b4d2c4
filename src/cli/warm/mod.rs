//! `larder warm`: every line of some files is embedded through a running sidecar, as bulk traffic. Files
//! may be of any length; what is cached is not asked for again, so that a run that was broken off goes on
//! where it was.

mod inputs;
mod sender;

use std::env;
use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::admin::Admin;
use super::connect::connect;
use super::progress::bar;
use super::settings::ServeArgs;
use super::{Failure, runtime, say, warn};
use crate::config::sharers::Sharers;
use crate::config::{Config, unknown};
use crate::credential::is_header;
use crate::dialect;
use crate::upstream::embeddings_below;
use sender::Sender;

/// What to embed, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// Model, as applications write it
    #[arg(long, value_name = "NAME")]
    model: String,
    /// Provider [default: `server.default_provider`]
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Dimensions, if applications request them
    #[arg(long, value_name = "N")]
    dimensions: Option<u32>,
    /// Environment variable with the API key; entries are cached for that key
    #[arg(long, value_name = "VARIABLE")]
    key_env: Option<String>,
    /// Header that applications send, as `NAME: VALUE`; can be given more than once
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Read each line as a JSON object whose `input` is a text, token ids or a list of those; always so
    /// for files named *.jsonl and *.ndjson
    #[arg(long)]
    jsonl: bool,
    /// Files with one text a line, plain or compressed (.gz, .zst); `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.serve.resolve_client()?;
    let (path, headers) = (args.path(&config)?, args.headers(&config)?);
    let key_variable = args.missing_key(&config, &headers);
    if let Some(variable) = &key_variable {
        warn(&format_args!(
            "no key is given: only clients without a key find the entries; pass --key-env \
             {variable}, or --header"
        ));
    }
    let runtime = runtime()?;
    let length = |path: &PathBuf| path.metadata().map_or(0, |found| found.len());
    let bar = bar(args.files.iter().map(length).sum());
    let sent = runtime.block_on(async {
        let admin = Admin::of(&config)?;
        let proxy = admin.proxy().await?.ok_or_else(|| admin.absent())?;
        let sidecar = connect("warm", &proxy).map_err(Failure::Running)?;
        let batches = inputs::read((args.files.clone(), args.jsonl), bar.clone());
        let sender = Sender::new(sidecar, path, (headers, args.members()));
        sender.with_missing_key(key_variable).send(batches).await
    });
    bar.finish_and_clear();
    let sent = sent?;
    say(&format_args!("{} embedded, {} cached already", sent.embedded, sent.hits));
    match sent.failed {
        0 => Ok(()),
        1 => Err(Failure::Running("1 input was not embedded".to_owned())),
        failed => Err(Failure::Running(format!("{failed} inputs were not embedded"))),
    }
}

impl Args {
    /// Where the sidecar has the provider's embeddings.
    fn path(&self, config: &Config) -> Result<String, Failure> {
        let name = self.provider(config);
        let provider = config.providers.get(name).ok_or_else(|| {
            let names: Vec<&str> = config.providers.keys().map(String::as_str).collect();
            Failure::Usage(format!("--provider: {name:?}: {}", unknown("provider", name, &names)))
        })?;
        Ok(format!("/{name}{}", embeddings_below(&provider.base_url)))
    }

    fn provider<'a>(&'a self, config: &'a Config) -> &'a str {
        self.provider.as_deref().unwrap_or(&config.server.default_provider)
    }

    /// What every request carries.
    fn headers(&self, config: &Config) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        for text in &self.headers {
            // What is wrong with it is not shown: it may be a key.
            let wrong = || Failure::Usage("--header: expected NAME: VALUE".to_owned());
            let (name, value) = text.split_once(':').ok_or_else(wrong)?;
            let name = name.trim().parse::<HeaderName>().map_err(|_| wrong())?;
            headers.append(name, secret(value.trim()).ok_or_else(wrong)?);
        }
        if let Some(variable) = &self.key_env {
            let wrong =
                || Failure::Usage(format!("--key-env: the variable {variable} has no usable key"));
            let key = env::var(variable).ok().filter(|key| !key.is_empty()).ok_or_else(wrong)?;
            let provider = config.providers.get(self.provider(config));
            let dialect = provider.and_then(|provider| dialect::named(&provider.dialect));
            let dialect = dialect.ok_or_else(wrong)?;
            let (name, scheme) = dialect.credential("/embeddings", &headers);
            headers.insert(name, secret(&format!("{scheme}{key}")).ok_or_else(wrong)?);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-larder-priority", HeaderValue::from_static("bulk"));
        Ok(headers)
    }

    /// The usual variable of the provider's key, where entries belong to a key and none is given.
    fn missing_key(&self, config: &Config, headers: &HeaderMap) -> Option<String> {
        let provider = config.providers.get(self.provider(config))?;
        let is_shared = config.cache.scope != Sharers::Credential;
        let has_key = provider.api_key_env.key().is_some() || headers.keys().any(is_header);
        let name = self.provider(config).to_uppercase().replace('-', "_");
        (!is_shared && !has_key).then(|| format!("{name}_API_KEY"))
    }

    /// What every request's body begins with.
    fn members(&self) -> String {
        let model = serde_json::Value::from(self.model.as_str());
        let dimensions = self.dimensions.map(|number| format!("\"dimensions\":{number},"));
        format!("\"model\":{model},{}", dimensions.unwrap_or_default())
    }
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
