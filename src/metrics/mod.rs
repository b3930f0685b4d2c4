//! Every series, declared once: name, help, labels. The only room that names `prometheus`.
//!
//! Labels come from closed sets. Whoever counts on the way of a hit holds a handle that was
//! resolved when larder started.

/// Declares a family in a registry and gives it back.
macro_rules! declare {
    ($registry:expr, $family:ident, $options:expr) => {{
        let single = $family::with_opts($options)?;
        $registry.register(Box::new(single.clone()))?;
        single
    }};
    ($registry:expr, $family:ident, $options:expr, $labels:expr) => {{
        let family = $family::new($options, $labels)?;
        $registry.register(Box::new(family.clone()))?;
        family
    }};
}

mod account;
mod bounds;
mod gen_ai;
mod handles;
mod labels;
mod lazy;
mod lower;
mod process;
mod render;
mod resolve;
mod snapshot;

use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};
pub use prometheus::{IntCounter, IntGauge, Result};

use account::AccountFamilies;
pub use account::AccountMetrics;
use bounds::{AGE_SECONDS, BATCH_INPUTS, DISTANCES, REQUEST_SECONDS, TIER_SECONDS, WAIT_SECONDS};
use gen_ai::GenAiFamilies;
pub use gen_ai::provider;
pub use handles::{Called, ChatMetrics, Held, OperationMetrics, TierMetrics, UpstreamMetrics};
pub use labels::{Layer, Operation, Outcome};
pub use lazy::{LazyCounter, LazyIntCounter};
pub use lower::{LowerMetrics, REDIS_ERRORS};
use process::ProcessCollector;
pub use snapshot::{Calls, Latency, Snapshot, TierSums};

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The registry and the families that are resolved while larder runs.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    first_byte: HistogramVec,
    in_flight: IntGaugeVec,
    client_retries: IntCounterVec,
    client_cancelled: IntCounterVec,
    lookups: IntCounterVec,
    insertions: IntCounterVec,
    evictions: IntCounterVec,
    entries: IntGaugeVec,
    bytes: IntGaugeVec,
    limit_bytes: IntGaugeVec,
    average_age: GaugeVec,
    hit_age: HistogramVec,
    tier_duration: HistogramVec,
    rejected: IntCounterVec,
    tier_errors: IntCounterVec,
    tier_queued: IntGaugeVec,
    breaker: IntGaugeVec,
    leases: IntCounterVec,
    collapsed: IntCounterVec,
    calls_saved: IntCounterVec,
    batch_inputs: HistogramVec,
    batch_linger: HistogramVec,
    batches: IntCounterVec,
    batch_queued: IntGaugeVec,
    isolations: IntCounterVec,
    merging_stopped: IntCounterVec,
    upstream_requests: IntCounterVec,
    upstream_duration: HistogramVec,
    upstream_connections: IntGaugeVec,
    upstream_limit: IntGaugeVec,
    upstream_opened: IntCounterVec,
    permit_wait: HistogramVec,
    waiting: IntGaugeVec,
    upstream_retries: IntCounterVec,
    upstream_breaker: IntGaugeVec,
    fallbacks: IntCounterVec,
    invalid_replies: IntCounterVec,
    accounts: AccountFamilies,
    gen_ai: Option<GenAiFamilies>,
    overhead: HistogramVec,
    eviction_age: HistogramVec,
    deduplicated: IntCounterVec,
    ratelimit: GaugeVec,
    held: IntGaugeVec,
    drift_checks: IntCounterVec,
    drift_distance: HistogramVec,
    held_limit: IntGaugeVec,
    chat_streams: IntGauge,
    chat_answers: IntCounterVec,
    rules: IntCounterVec,
    store_reads: IntCounterVec,
    store_writes: IntCounterVec,
    /// Connections that clients hold open now.
    pub downstream_connections: IntGauge,
    /// Keys that are being computed now.
    pub flights: IntGauge,
    /// Requests that larder could not cope with.
    pub panics: IntCounter,
    /// Spans that did not arrive.
    pub traces_dropped: IntCounter,
    reload_successful: IntGauge,
    reload_timestamp: Gauge,
}

impl Metrics {
    /// Declares every series in a registry of its own.
    pub fn new() -> Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::new()?))?;
        let build = declare!(
            registry,
            IntGaugeVec,
            Opts::new(
                "larder_build_info",
                "Constant 1, labelled with the version and, in a release, the commit of the running build."
            ),
            &["version", "revision"]
        );
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), env!("LARDER_REVISION")]).set(1);
        let metrics = Self::declare(registry)?;
        metrics.pre_create();
        Ok(metrics)
    }

    /// Shows calls and tokens under `OpenTelemetry`'s names as well.
    pub fn with_gen_ai(mut self) -> Result<Self> {
        self.gen_ai = Some(GenAiFamilies::declare(&self.registry)?);
        Ok(self)
    }

    #[expect(clippy::too_many_lines, reason = "one declaration after another: a list")]
    fn declare(registry: Registry) -> Result<Self> {
        let seconds = |name: &str, help: &str, buckets: &[f64]| {
            HistogramOpts::new(name, help).buckets(buckets.to_vec())
        };
        Ok(Self {
            requests: declare!(registry, IntCounterVec, Opts::new("larder_requests_total",
                "Responses sent, by operation, cache verdict and status code. Many with verdict bypass: check the paths, and whether clients send no-store."),
                &["operation", "verdict", "code"]),
            request_duration: declare!(registry, HistogramVec, seconds("larder_request_duration_seconds",
                "Seconds from a request's head to the last byte of its response written to the connection. High for hits: the process lacks CPU. High for misses: see larder_upstream_request_duration_seconds.", REQUEST_SECONDS),
                &["operation", "verdict"]),
            first_byte: declare!(registry, HistogramVec, seconds("larder_time_to_first_byte_seconds",
                "Seconds from a request's head to the head of its response. For a stream this is the time before its first event.", REQUEST_SECONDS),
                &["operation", "verdict"]),
            in_flight: declare!(registry, IntGaugeVec, Opts::new("larder_requests_in_flight",
                "Requests in flight."), &["operation"]),
            client_retries: declare!(registry, IntCounterVec, Opts::new("larder_client_retries_total",
                "Requests that the client's SDK marks as a retry. Rising: the provider or larder fails, or is slower than the client's timeout."), &["operation"]),
            client_cancelled: declare!(registry, IntCounterVec, Opts::new("larder_client_cancelled_total",
                "Requests cancelled by a client disconnect before the response ended. Rising: client timeouts are shorter than provider calls."), &["operation"]),
            lookups: declare!(registry, IntCounterVec, Opts::new("larder_cache_lookups_total",
                "Lookups in a tier, one for each input of a request, by result. Hits divided by all lookups in tier memory is the hit rate."),
                &["operation", "tier", "result"]),
            insertions: declare!(registry, IntCounterVec, Opts::new("larder_cache_insertions_total",
                "Entries stored in a tier."), &["tier"]),
            evictions: declare!(registry, IntCounterVec, Opts::new("larder_cache_evictions_total",
                "Entries removed from a tier, by reason: size = evicted for space, purged = purged by an operator. Many evictions and few hits: raise cache.memory."),
                &["tier", "reason"]),
            entries: declare!(registry, IntGaugeVec, Opts::new("larder_cache_entries",
                "Entries in a tier. Tier redis counts all keys of the server, and in a cluster those of one node."), &["tier"]),
            bytes: declare!(registry, IntGaugeVec, Opts::new("larder_cache_bytes",
                "Bytes used by a tier's entries, overhead included."), &["tier"]),
            limit_bytes: declare!(registry, IntGaugeVec, Opts::new("larder_cache_limit_bytes",
                "Maximum size of a tier in bytes."), &["tier"]),
            average_age: declare!(registry, GaugeVec, Opts::new("larder_cache_entry_age_average_seconds",
                "Mean age of a tier's entries in seconds. Falling under steady load: the tier is too small."), &["tier"]),
            hit_age: declare!(registry, HistogramVec, seconds("larder_cache_hit_age_seconds",
                "Age in seconds of the entries that were hit in a tier. Tier memory counts the oldest entry of each response. All low: a smaller tier or a shorter ttl is enough.", AGE_SECONDS), &["tier"]),
            tier_duration: declare!(registry, HistogramVec, seconds("larder_cache_operation_duration_seconds",
                "Seconds of one operation in a tier below memory: get = lookup of all keys of a request, put = one batch of writes. High get: the disk or Redis is slow. A lookup ends at disk.timeout or redis.timeout.", TIER_SECONDS),
                &["tier", "action"]),
            rejected: declare!(registry, IntCounterVec, Opts::new("larder_cache_rejected_total",
                "Entries not stored in a tier below memory, by reason: queue_full = the write queue was full, unavailable = the tier was down or read-only, too_large, failed = the write failed."),
                &["tier", "reason"]),
            tier_errors: declare!(registry, IntCounterVec, Opts::new("larder_cache_errors_total",
                "Errors of a tier below memory, by kind: timeout, io = disk or connection error, corrupt = unreadable entry; of Redis also connection_refused, dns, tls, auth = wrong or missing password, readonly = a replica, cluster = a node of a cluster, oom = full, loading, refused = another error reply. Each costs a miss or a lost write only. Any corrupt: check the disk, or other writers to this Redis."),
                &["tier", "kind"]),
            tier_queued: declare!(registry, IntGaugeVec, Opts::new("larder_cache_queued_bytes",
                "Bytes waiting to be written to a tier below memory."), &["tier"]),
            breaker: declare!(registry, IntGaugeVec, Opts::new("larder_cache_breaker_state",
                "State of the circuit breaker of a tier below memory: 0 = closed (in use), 1 = half open (being tried), 2 = open (tier down)."), &["tier"]),
            leases: declare!(registry, IntCounterVec, Opts::new("larder_cache_leases_total",
                "Inputs missing in all tiers, by how replicas shared the fetch: taken = this replica fetched, waited = another replica fetched and its result arrived, lost = another replica fetched without a result, so this one fetched too."),
                &["result"]),
            collapsed: declare!(registry, IntCounterVec, Opts::new("larder_collapsed_inputs_total",
                "Inputs coalesced with an identical input in flight or earlier in the same request, at no provider cost of their own."), &["operation"]),
            calls_saved: declare!(registry, IntCounterVec, Opts::new("larder_upstream_calls_saved_total",
                "Provider calls saved, by reason: hit = the request was served from the cache, collapsed = it was coalesced with requests in flight, batched = it was merged into the call of another request."),
                &["operation", "by"]),
            batch_inputs: declare!(registry, HistogramVec, HistogramOpts::new("larder_batch_inputs",
                "Inputs in one provider call. Always 1: requests do not overlap, or differ in model, credential or parameters.").buckets(BATCH_INPUTS.to_vec()),
                &["upstream"]),
            batch_linger: declare!(registry, HistogramVec, seconds("larder_batch_linger_seconds",
                "Seconds that the oldest input of a batch waited before its call was sent. High: all permits are taken. See larder_upstream_permit_wait_seconds.", WAIT_SECONDS),
                &["upstream"]),
            batches: declare!(registry, IntCounterVec, Opts::new("larder_batches_total",
                "Embedding calls, by the reason the batch was closed: lone = no other request was due, linger = the wait ended, inputs, tokens or bytes = the batch was full."),
                &["upstream", "closed_by"]),
            batch_queued: declare!(registry, IntGaugeVec, Opts::new("larder_batch_queued_inputs",
                "Inputs waiting for their call."), &["upstream"]),
            isolations: declare!(registry, IntCounterVec, Opts::new("larder_batch_isolations_total",
                "Refused batches that were split, by reason: input = one input was refused, so each request was sent alone, limit = the call exceeded a limit of the provider, invalid = the response failed validation."),
                &["upstream", "reason"]),
            merging_stopped: declare!(registry, IntCounterVec, Opts::new("larder_batch_merging_stopped_total",
                "Times that merging stopped for a model, because merged calls failed although each of their requests succeeded alone. Any: the provider does not support lists of this size. The log names the model."),
                &["upstream"]),
            upstream_requests: declare!(registry, IntCounterVec, Opts::new("larder_upstream_requests_total",
                "Calls made to a provider, by status code (0 = no response) and error type."),
                &["upstream", "operation", "code", "error_type"]),
            upstream_duration: declare!(registry, HistogramVec, seconds("larder_upstream_request_duration_seconds",
                "Seconds from the start of a provider call to the end of its response, and for operations relay and chat to its head.", REQUEST_SECONDS),
                &["upstream", "operation"]),
            upstream_connections: declare!(registry, IntGaugeVec, Opts::new("larder_upstream_connections",
                "Connections to a provider, by state: open = all connections, active = calls in flight (over HTTP/1.1, one for each connection)."), &["upstream", "state"]),
            upstream_limit: declare!(registry, IntGaugeVec, Opts::new("larder_upstream_connections_limit",
                "Maximum number of concurrent calls to a provider."), &["upstream"]),
            upstream_opened: declare!(registry, IntCounterVec, Opts::new("larder_upstream_connections_opened_total",
                "Connections opened to a provider. Calls divided by opened connections shows the reuse of connections."), &["upstream"]),
            permit_wait: declare!(registry, HistogramVec, seconds("larder_upstream_permit_wait_seconds",
                "Seconds that a call waited for a permit. High: raise max_connections, if the provider allows more.", WAIT_SECONDS), &["upstream"]),
            waiting: declare!(registry, IntGaugeVec, Opts::new("larder_upstream_waiting_calls",
                "Calls waiting for a permit, by priority. Interactive calls go first. Many: the provider limits the rate (see larder_upstream_requests_total with code 429), or max_connections is too low."), &["upstream", "priority"]),
            upstream_retries: declare!(registry, IntCounterVec, Opts::new("larder_upstream_retries_total",
                "Calls that larder repeated, by reason: unreachable = no response to the first, throttled = a 429, repeated at the time the provider named, hedged = the first was slower than hedge_after, so a second one ran in parallel. Rising: the provider or the network fails, or the load exceeds the provider's limits."), &["upstream", "reason"]),
            fallbacks: declare!(registry, IntCounterVec, Opts::new("larder_upstream_fallbacks_total",
                "Requests sent to a fallback provider because their own provider failed (fallback)."), &["upstream"]),
            upstream_breaker: declare!(registry, IntGaugeVec, Opts::new("larder_upstream_breaker_state",
                "State of a provider's circuit breaker: 0 = closed, 1 = half open (one trial call), 2 = open (no response to the last calls). Cached responses are served in every state."), &["upstream"]),
            invalid_replies: declare!(registry, IntCounterVec, Opts::new("larder_upstream_invalid_replies_total",
                "Successful responses that failed validation (count, order, dimensions, finite numbers). They are never stored. Any: check the provider."), &["upstream"]),
            accounts: AccountFamilies::declare(&registry)?,
            gen_ai: None,
            overhead: declare!(registry, HistogramVec, seconds("larder_overhead_seconds",
                "Seconds that larder itself added before the head of a response, without waits for permits, other requests and the provider. High: the process lacks CPU.", WAIT_SECONDS), &["operation"]),
            eviction_age: declare!(registry, HistogramVec, seconds("larder_cache_eviction_age_seconds",
                "Age in seconds of the entries evicted from tier memory. Close to larder_cache_hit_age_seconds: raise cache.memory.", AGE_SECONDS), &["tier"]),
            deduplicated: declare!(registry, IntCounterVec, Opts::new("larder_deduplicated_inputs_total",
                "Inputs repeated within one request, also counted in larder_collapsed_inputs_total. Many: the application sends the same text twice in a request."), &["operation"]),
            ratelimit: declare!(registry, GaugeVec, Opts::new("larder_upstream_ratelimit_remaining",
                "Remaining requests or tokens of a provider's rate limit, from its latest response to any credential. Near zero: expect 429 responses."), &["upstream", "kind"]),
            drift_checks: declare!(registry, IntCounterVec, Opts::new("larder_drift_checks_total",
                "Embedding hits requested again for comparison ([drift]), by result: same, drifted = the vector differs, failed = no vector. Any drifted: the provider changed the model, so purge its entries."), &["upstream", "result"]),
            drift_distance: declare!(registry, HistogramVec, HistogramOpts::new("larder_drift_distance",
                "Cosine distance between the cached and the provider's current vector, the largest of each checked request.").buckets(DISTANCES.to_vec()), &["upstream"]),
            held: declare!(registry, IntGaugeVec, Opts::new("larder_held_bytes",
                "Bytes of bodies in memory: requests = request bodies (server.max_in_flight), answers = response bodies that are buffered, read slowly or shared (server.max_answers)."), &["what"]),
            held_limit: declare!(registry, IntGaugeVec, Opts::new("larder_held_limit_bytes",
                "Maximum bytes of bodies in memory. Beyond it requests fail with 503."), &["what"]),
            chat_streams: declare!(registry, IntGauge, Opts::new("larder_chat_streams",
                "Provider responses in flight that may be cached or joined by identical requests.")),
            chat_answers: declare!(registry, IntCounterVec, Opts::new("larder_chat_answers_total",
                "Cacheable responses of operation chat, by result: stored, shared = stored by another replica that fetched it at the same time, or the reason they were not stored (status, content_type, too_large, unreadable, error, finish_reason, refused, unfinished, cut, failed = no response, abandoned = every client disconnected)."),
                &["result"]),
            rules: declare!(registry, IntCounterVec, Opts::new("larder_rules_total",
                "Chat requests that a rule of the configuration ([[rules]]) was applied to, by rule name. None for a rule that should match: see `x-larder-explain`, and the rules before it."),
                &["rule"]),
            store_reads: declare!(registry, IntCounterVec, Opts::new("larder_store_reads_total",
                "Cacheable responses to store reads, by result: stored, or the reason they were not stored (outdated = the namespace was written to meanwhile, unsettled = a recent write may not be visible yet (settles), status, content_type, too_large, unreadable, cut, failed = no response, abandoned = every client disconnected). Many outdated: writes are about as frequent as reads."),
                &["result"]),
            store_writes: declare!(registry, IntCounterVec, Opts::new("larder_store_writes_total",
                "Requests that may change a store, by scope of the invalidation: namespace = cached reads of that namespace, store = all cached reads of the store, because no route names a namespace. Many of store: add routes for them."),
                &["upstream", "reach"]),
            downstream_connections: declare!(registry, IntGauge, Opts::new("larder_downstream_connections",
                "Open client connections.")),
            traces_dropped: declare!(registry, IntCounter, Opts::new("larder_traces_dropped_total",
                "Spans dropped because the export queue was full or the collector (traces.endpoint) failed. Rising: lower traces.sample, or check the collector. The log has the reason.")),
            reload_successful: declare!(registry, IntGauge, Opts::new("larder_config_last_reload_successful",
                "Result of the last reload: 1 = applied, 0 = rejected. At 0 the previous configuration stays in use, and the log has the errors.")),
            reload_timestamp: declare!(registry, Gauge, Opts::new("larder_config_last_reload_success_timestamp_seconds",
                "Unix time in seconds of the last applied configuration.")),
            panics: declare!(registry, IntCounter, Opts::new("larder_panics_total",
                "Requests that ended with 500 because of an internal error. Any: a bug in larder. The log has the location.")),
            flights: declare!(registry, IntGauge, Opts::new("larder_flights",
                "Distinct inputs being fetched from providers, each counted once.")),
            registry,
        })
    }
}
