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
pub use account::{AccountMetrics, CostMetrics};
use bounds::{AGE_SECONDS, BATCH_INPUTS, DISTANCES, REQUEST_SECONDS, TIER_SECONDS, WAIT_SECONDS};
use gen_ai::GenAiFamilies;
pub use gen_ai::provider;
pub use handles::{Called, ChatMetrics, Held, OperationMetrics, TierMetrics, UpstreamMetrics};
pub use labels::{Layer, Operation, Outcome};
pub use lower::LowerMetrics;
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
                "Constant 1; says which build runs: its version, and the commit of a release."
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
                "Answers sent, by what was done, what the cache did, and the status sent. Many of verdict bypass: see which paths, and whether clients send no-store."),
                &["operation", "verdict", "code"]),
            request_duration: declare!(registry, HistogramVec, seconds("larder_request_duration_seconds",
                "From the receipt of a request's head to the last byte of its answer handed to the connection. High for hits: the process lacks CPU; high for misses: look at larder_upstream_request_duration_seconds.", REQUEST_SECONDS),
                &["operation", "verdict"]),
            first_byte: declare!(registry, HistogramVec, seconds("larder_time_to_first_byte_seconds",
                "From the receipt of a request's head to the head of its answer. For streams this is what a user waits for.", REQUEST_SECONDS),
                &["operation", "verdict"]),
            in_flight: declare!(registry, IntGaugeVec, Opts::new("larder_requests_in_flight",
                "Requests being served now: the concurrent callers."), &["operation"]),
            client_retries: declare!(registry, IntCounterVec, Opts::new("larder_client_retries_total",
                "Requests that the SDK marks as a retry of its own. Rising: the provider, or larder, fails or is slower than the client's time-out."), &["operation"]),
            client_cancelled: declare!(registry, IntCounterVec, Opts::new("larder_client_cancelled_total",
                "Callers that left before their answer. Rising: clients' time-outs are shorter than the provider's answers."), &["operation"]),
            lookups: declare!(registry, IntCounterVec, Opts::new("larder_cache_lookups_total",
                "Look-ups in a tier, one for each input of a request, by what came of it. all hits / all look-ups in tier memory is the hit rate."),
                &["operation", "tier", "result"]),
            insertions: declare!(registry, IntCounterVec, Opts::new("larder_cache_insertions_total",
                "Answers stored in a tier."), &["tier"]),
            evictions: declare!(registry, IntCounterVec, Opts::new("larder_cache_evictions_total",
                "Entries removed from a tier: size = no room, purged = an operator said so. Many of size beside few hits: raise cache.memory."),
                &["tier", "reason"]),
            entries: declare!(registry, IntGaugeVec, Opts::new("larder_cache_entries",
                "Entries in a tier; of tier redis, all keys of the server, in a cluster of one of its nodes."), &["tier"]),
            bytes: declare!(registry, IntGaugeVec, Opts::new("larder_cache_bytes",
                "Bytes that a tier's entries hold, overhead counted."), &["tier"]),
            limit_bytes: declare!(registry, IntGaugeVec, Opts::new("larder_cache_limit_bytes",
                "Bytes that a tier may hold."), &["tier"]),
            average_age: declare!(registry, GaugeVec, Opts::new("larder_cache_entry_age_average_seconds",
                "Mean age of the entries of a tier. Falling under steady load: the tier is too small."), &["tier"]),
            hit_age: declare!(registry, HistogramVec, seconds("larder_cache_hit_age_seconds",
                "Age of what a tier was asked for and had; of tier memory that of the oldest part of an answer. All young: the tier may be smaller, or its entries live shorter.", AGE_SECONDS), &["tier"]),
            tier_duration: declare!(registry, HistogramVec, seconds("larder_cache_operation_duration_seconds",
                "How long a tier below memory takes: get = a look-up of all keys of a request, put = a round of writing. High get: the disk or Redis is slow; it is given up at disk.timeout or redis.timeout.", TIER_SECONDS),
                &["tier", "action"]),
            rejected: declare!(registry, IntCounterVec, Opts::new("larder_cache_rejected_total",
                "Entries that a tier below memory did not take: queue_full = more came than could be written, unavailable = nothing is written now, too_large, failed = the write failed."),
                &["tier", "reason"]),
            tier_errors: declare!(registry, IntCounterVec, Opts::new("larder_cache_errors_total",
                "What went wrong in a tier below memory, each a miss or a lost write and nothing else: timeout, io = the disk or the connection, corrupt = an entry did not open, refused = Redis answered with an error. Any of corrupt: look at the disk, or who else writes to Redis."),
                &["tier", "kind"]),
            tier_queued: declare!(registry, IntGaugeVec, Opts::new("larder_cache_queued_bytes",
                "Bytes that wait to be written to a tier below memory."), &["tier"]),
            breaker: declare!(registry, IntGaugeVec, Opts::new("larder_cache_breaker_state",
                "Whether a tier below memory is asked: 0 = yes, 1 = it is being tried, 2 = no, since it failed or is not there."), &["tier"]),
            leases: declare!(registry, IntCounterVec, Opts::new("larder_cache_leases_total",
                "Inputs that are missing everywhere, by how replicas share them: taken = this one asks the provider, waited = another one asks and its answer came, lost = another one asked and no answer came, so that this one asks after all."),
                &["result"]),
            collapsed: declare!(registry, IntCounterVec, Opts::new("larder_collapsed_inputs_total",
                "Inputs that were being asked for already, or that stood in their request before, and so cost no provider input of their own."), &["operation"]),
            calls_saved: declare!(registry, IntCounterVec, Opts::new("larder_upstream_calls_saved_total",
                "Provider calls that did not happen: hit = a request answered from the cache, collapsed = one that only joined others, batched = one that travelled in another's call."),
                &["operation", "by"]),
            batch_inputs: declare!(registry, HistogramVec, HistogramOpts::new("larder_batch_inputs",
                "Inputs in one provider call. Always 1: callers do not overlap, or differ in model, credential or parameters.").buckets(BATCH_INPUTS.to_vec()),
                &["upstream"]),
            batch_linger: declare!(registry, HistogramVec, seconds("larder_batch_linger_seconds",
                "How long the oldest input of a call waited for its call to leave. High: all permits are taken; see larder_upstream_permit_wait_seconds.", WAIT_SECONDS),
                &["upstream"]),
            batches: declare!(registry, IntCounterVec, Opts::new("larder_batches_total",
                "Provider calls for embeddings, by what closed them: lone = nothing to wait for, linger = the gap passed, inputs, tokens or bytes = full."),
                &["upstream", "closed_by"]),
            batch_queued: declare!(registry, IntGaugeVec, Opts::new("larder_batch_queued_inputs",
                "Inputs that wait for their call now."), &["upstream"]),
            isolations: declare!(registry, IntCounterVec, Opts::new("larder_batch_isolations_total",
                "Provider calls that were refused and taken apart, by why: input = some input was bad and each request went alone, limit = the call was larger than the provider takes and was cut, invalid = the answer did not pass the checks."),
                &["upstream", "reason"]),
            upstream_requests: declare!(registry, IntCounterVec, Opts::new("larder_upstream_requests_total",
                "Calls made to a provider, by status (0 = none came) and whose fault a failure was."),
                &["upstream", "operation", "code", "error_type"]),
            upstream_duration: declare!(registry, HistogramVec, seconds("larder_upstream_request_duration_seconds",
                "From a call's start to the end of its answer (of a relayed one and of operation chat: to its head).", REQUEST_SECONDS),
                &["upstream", "operation"]),
            upstream_connections: declare!(registry, IntGaugeVec, Opts::new("larder_upstream_connections",
                "Connections to a provider: open = all, active = calls under way, each of which carries one over HTTP/1.1."), &["upstream", "state"]),
            upstream_limit: declare!(registry, IntGaugeVec, Opts::new("larder_upstream_connections_limit",
                "Calls that may be under way at once."), &["upstream"]),
            upstream_opened: declare!(registry, IntCounterVec, Opts::new("larder_upstream_connections_opened_total",
                "Connections opened to a provider. Calls for each of these say how well connections are reused."), &["upstream"]),
            permit_wait: declare!(registry, HistogramVec, seconds("larder_upstream_permit_wait_seconds",
                "How long a call waited for its turn. High: raise max_connections, if the provider allows more.", WAIT_SECONDS), &["upstream"]),
            waiting: declare!(registry, IntGaugeVec, Opts::new("larder_upstream_waiting_calls",
                "Calls that wait for their turn now. Interactive ones go first. Many: the provider refuses more at once or a minute (see larder_upstream_requests_total with code 429), or max_connections is too low."), &["upstream", "priority"]),
            upstream_retries: declare!(registry, IntCounterVec, Opts::new("larder_upstream_retries_total",
                "Calls that larder made a second time, by why: unreachable = nothing came of the first, throttled = it was one too many (429), and was made again when the provider said, hedged = the first was slow and a second one was made beside it (hedge_after). Rising: the provider, or the way to it, breaks; or more is asked of it than it gives."), &["upstream", "reason"]),
            fallbacks: declare!(registry, IntCounterVec, Opts::new("larder_upstream_fallbacks_total",
                "Requests that were asked of another provider, since the one they were for failed (fallback)."), &["upstream"]),
            upstream_breaker: declare!(registry, IntGaugeVec, Opts::new("larder_upstream_breaker_state",
                "Whether a provider is called: 0 = yes, 1 = one call tries, 2 = no, since the last ones got no answer. Answers that are kept are served all the same."), &["upstream"]),
            invalid_replies: declare!(registry, IntCounterVec, Opts::new("larder_upstream_invalid_replies_total",
                "Successful answers that did not pass the checks (count, order, dimensions, finite numbers). They are never stored. Any: look at the provider."), &["upstream"]),
            accounts: AccountFamilies::declare(&registry)?,
            gen_ai: None,
            overhead: declare!(registry, HistogramVec, seconds("larder_overhead_seconds",
                "What larder itself took of the time to the head of an answer: without the wait for a turn, for others and for the provider. High: the process lacks CPU.", WAIT_SECONDS), &["operation"]),
            eviction_age: declare!(registry, HistogramVec, seconds("larder_cache_eviction_age_seconds",
                "Age of the entries of tier memory that gave way to others. Not much above larder_cache_hit_age_seconds: raise cache.memory.", AGE_SECONDS), &["tier"]),
            deduplicated: declare!(registry, IntCounterVec, Opts::new("larder_deduplicated_inputs_total",
                "Inputs that stood in their own request before. They are part of larder_collapsed_inputs_total. Many: the application asks for the same text twice in one request."), &["operation"]),
            ratelimit: declare!(registry, GaugeVec, Opts::new("larder_upstream_ratelimit_remaining",
                "What a provider said last of how many requests or tokens are left for now, to whichever credential. Near zero: it will refuse soon."), &["upstream", "kind"]),
            drift_checks: declare!(registry, IntCounterVec, Opts::new("larder_drift_checks_total",
                "Hits for embeddings that were asked again ([drift]): same, drifted = another vector came, failed = none came. Any of drifted: the provider has changed the model; purge it."), &["upstream", "result"]),
            drift_distance: declare!(registry, HistogramVec, HistogramOpts::new("larder_drift_distance",
                "Cosine distance between what was kept and what the provider says now, the largest of a request.").buckets(DISTANCES.to_vec()), &["upstream"]),
            held: declare!(registry, IntGaugeVec, Opts::new("larder_held_bytes",
                "Bytes of bodies that are held now: requests = read to the end (server.max_in_flight), answers = read to the end, taken slowly, or open to others (server.max_answers)."), &["what"]),
            held_limit: declare!(registry, IntGaugeVec, Opts::new("larder_held_limit_bytes",
                "Bytes of bodies that may be held; beyond it the answer is 503."), &["what"]),
            chat_streams: declare!(registry, IntGauge, Opts::new("larder_chat_streams",
                "Answers of models and stores that are coming in now and may be kept or joined, whoever reads them.")),
            chat_answers: declare!(registry, IntCounterVec, Opts::new("larder_chat_answers_total",
                "Answers of models that might have been kept, by what became of them: stored, shared = another replica asked at the same time and stored it, or why not (status, content_type, too_large, unreadable, error, finish_reason, refused, unfinished, cut, failed = no answer came, abandoned = everybody left)."),
                &["result"]),
            rules: declare!(registry, IntCounterVec, Opts::new("larder_rules_total",
                "Requests for models' words that a rule of the configuration ([[rules]]) was carried out for, by its name. None of a rule that should fire: see `x-larder-explain`, and the rules before it."),
                &["rule"]),
            store_reads: declare!(registry, IntCounterVec, Opts::new("larder_store_reads_total",
                "Answers to reads of stores that might have been kept, by what became of them: stored, or why not (outdated = their namespace was written to meanwhile, unsettled = a write may not have been seen yet (settles), status, content_type, too_large, unreadable, cut, failed = no answer came, abandoned = everybody left). Many of outdated: writes are about as frequent as reads there."),
                &["result"]),
            store_writes: declare!(registry, IntCounterVec, Opts::new("larder_store_writes_total",
                "Requests that may change what a store says, by what was forgotten for them: namespace = what was kept of it, store = all that was kept, since no route or no namespace says less. Many of store: write routes for them."),
                &["upstream", "reach"]),
            downstream_connections: declare!(registry, IntGauge, Opts::new("larder_downstream_connections",
                "Connections that clients hold open now.")),
            traces_dropped: declare!(registry, IntCounter, Opts::new("larder_traces_dropped_total",
                "Spans that were not delivered: more ended than could be sent, or the collector (traces.endpoint) did not take them. Rising: lower traces.sample, or look at the collector; its log says why.")),
            reload_successful: declare!(registry, IntGauge, Opts::new("larder_config_last_reload_successful",
                "Whether the last configuration that was to be taken over was. 0: the log says what is wrong with it; the one before still runs.")),
            reload_timestamp: declare!(registry, Gauge, Opts::new("larder_config_last_reload_success_timestamp_seconds",
                "When a configuration was last taken over, in seconds since 1970.")),
            panics: declare!(registry, IntCounter, Opts::new("larder_panics_total",
                "Requests that larder failed at and answered 500. Any: a fault of larder's; its log says where.")),
            flights: declare!(registry, IntGauge, Opts::new("larder_flights",
                "Inputs that are being computed now, each once, whoever waits for it.")),
            registry,
        })
    }

    /// Notes how a reload ended, and when, in seconds since 1970.
    pub fn reloaded(&self, successful: bool, now: f64) {
        self.reload_successful.set(i64::from(successful));
        if successful {
            self.reload_timestamp.set(now);
        }
    }
}
