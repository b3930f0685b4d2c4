//! Sends spans to a collector, on a thread of its own: no request waits for one.

mod json;
mod protobuf;
mod span;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::runtime;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::config::{TraceProtocol, Traces};
use crate::trace::{Record, Tracer, Value};
use crate::upstream::Post;

/// How long spans are collected at the most.
const PAUSE: Duration = Duration::from_secs(1);

/// How many go into one message.
const MOST: usize = 512;

/// The time for all messages that are left at the end.
const TIME: Duration = Duration::from_secs(5);

/// The instrumentation scope of every span.
const SCOPE: &str = "larder";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long a collector's failure is not told again.
const SILENCE: Duration = Duration::from_mins(1);

/// The way to a collector.
#[derive(Debug)]
pub struct Exporter {
    closing: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

struct Sender {
    tracer: Arc<Tracer>,
    post: Post,
    protocol: TraceProtocol,
    resource: Resource,
    /// When a failure was last told.
    told: Option<Instant>,
}

/// The attributes of the process that the spans are of.
#[derive(Debug)]
struct Resource(Vec<(String, Value)>);

impl Resource {
    fn of(settings: &Traces) -> Self {
        let own = [("service.name", settings.service_name.as_str()), ("service.version", VERSION)];
        let further = &settings.attributes.0;
        let is_given = |name: &str| further.iter().any(|(given, _)| given == name);
        let own = own.iter().filter(|(name, _)| *name == "service.name" || !is_given(name));
        let own = own.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let all = own.chain(further.iter().filter(|(name, _)| name != "service.name").cloned());
        // Not by `From`, which cuts texts of requests.
        Self(all.map(|(name, text)| (name, Value::Text(text.into()))).collect())
    }
}

impl Exporter {
    /// Begins to send a tracer's spans to the collector.
    pub fn start(settings: &Traces, tracer: Arc<Tracer>) -> Result<Self, String> {
        let mut headers: HeaderMap = settings.headers.expose().cloned().collect();
        headers.insert(header::CONTENT_TYPE, media_type(settings.protocol));
        let post = Post::new(&settings.url(), headers, settings.timeout)?;
        let resource = Resource::of(settings);
        let mut sender = Sender { tracer, post, protocol: settings.protocol, resource, told: None };
        let (closing, closed) = watch::channel(false);
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error: io::Error| error.to_string())?;
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = sender.send_until(closed.clone()) => {}
                    () = overdue(closed) => {
                        tracing::warn!("last traces not delivered before shutdown");
                    }
                }
            });
        };
        let thread = thread::Builder::new().name("larder traces".to_owned()).spawn(run);
        Ok(Self { closing, thread: thread.map_err(|error| error.to_string())? })
    }

    /// Sends what is left, within a time.
    pub fn close(self) {
        self.closing.send_replace(true);
        if self.thread.join().is_err() {
            tracing::error!("trace export thread failed");
        }
    }
}

/// Waits until the end is overdue.
async fn overdue(mut closed: watch::Receiver<bool>) {
    drop(closed.wait_for(|closed| *closed).await);
    sleep(TIME).await;
}

fn media_type(protocol: TraceProtocol) -> HeaderValue {
    HeaderValue::from_static(match protocol {
        TraceProtocol::Protobuf => "application/x-protobuf",
        TraceProtocol::Json => "application/json",
    })
}

impl Sender {
    /// Sends what ends, until the end, and then what is left.
    async fn send_until(&mut self, mut closed: watch::Receiver<bool>) {
        loop {
            let is_last = tokio::select! {
                _ = closed.wait_for(|closed| *closed) => true,
                () = self.tracer.many() => false,
                () = sleep(PAUSE) => false,
            };
            for batch in self.tracer.take().chunks(MOST) {
                self.send(batch).await;
            }
            if is_last {
                return;
            }
        }
    }

    /// Sends some. What a collector does not take is lost: it would be late, and in the way of others.
    async fn send(&mut self, batch: &[Record]) {
        let message = match self.protocol {
            TraceProtocol::Protobuf => protobuf::message(&self.resource, batch),
            TraceProtocol::Json => json::message(&self.resource, batch),
        };
        let error = match self.post.send(message).await {
            Ok(status) if status.is_success() => return,
            Ok(status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => {
                format!("the collector returned {status}: check traces.headers")
            }
            Ok(status) => format!("the collector returned {status}"),
            Err(error) => error,
        };
        self.tracer.lost(batch.len());
        if self.told.is_none_or(|told| told.elapsed() >= SILENCE) {
            self.told = Some(Instant::now());
            tracing::warn!(
                error,
                "trace export failed: spans are dropped until the collector (traces.endpoint) accepts them"
            );
        }
    }
}
