//! The sections of the server, the cache, the tiers and the providers: every key with its type, its
//! default and its meaning.

use std::net::SocketAddr;
use std::time::Duration;

use super::keys::{KeyFile, KeyVariable};
use super::models::ModelRules;
use super::origin::Origin;
use super::pem_file::PemFile;
use super::read::{Key, Reader, Section, Table, section};
use super::sharers::Sharers;
use super::socket_path::SocketPath;
use super::stores::Routes;
use super::units::{ByteSize, Secret, SecretUrl, Setting};
use super::words::{Auth, CachedRoutes, ChatCache, Mode, Oversize};

section! {
    /// Listeners, and limits of requests and connections.
    Server {
        /// Address for applications. Port 0 picks a free port.
        listen: SocketAddr = "127.0.0.1:5273",
        /// Absolute path of a Unix socket (mode 0660) for applications on this machine. Empty: none. A socket
        /// that a dead process left is replaced; any other file is an error.
        unix_socket: SocketPath = "",
        /// PEM file with the TLS certificate of `listen`, followed by its chain. Empty: plain HTTP. TLS 1.2
        /// and 1.3. A reload reads the file again.
        tls_cert: PemFile = "",
        /// PEM file with the private key of `tls_cert`. Other users must not be able to read it.
        tls_key: PemFile = "",
        /// Address of the status page, metrics, health and admin API. Port 0 picks a free port.
        admin_listen: SocketAddr = "127.0.0.1:5274",
        /// Origins of web pages that may send requests, such as `https://app.example`. larder answers their
        /// preflights and sends them CORS headers. If larder holds a provider's key, requests of other pages get
        /// 403, and on loopback requests for other host names too.
        allowed_origins: Vec<Origin> = "",
        /// Bearer token for the admin listener, except for `/healthz` and `/readyz`. Empty: no token; the
        /// listener must then be on loopback, and refuses requests for other host names.
        admin_token: Secret = "",
        /// Provider of every path that does not begin with a provider's name.
        default_provider: String = "openai",
        /// Opens a connection to each provider in use at the start: the default provider, and each provider
        /// that this file, a flag or a variable names. Same as `warm_connections = 1` for those providers.
        eager: bool = "false",
        /// `live`: responses come from providers and the cache. `record`: also writes every response into
        /// `recordings`. `replay`: responses come from `recordings` only, without provider calls; see
        /// `docs/REPLAY.md`.
        mode: Mode = "live",
        /// Directory of recordings. It contains model output; commit it with your tests.
        recordings: String = "",
        /// Number of threads that serve requests. 0: one for each core.
        threads: u32 = "0",
        /// Maximum number of open connections. More connections get 503.
        max_connections: u32 = "16384",
        /// Maximum size of a request head. Larger heads get 431.
        max_head: ByteSize = "64KiB",
        /// Maximum size, decoded, of a request body that larder buffers. Larger bodies get 413. Bodies that
        /// are only relayed have no limit.
        max_body: ByteSize = "64MiB",
        /// Maximum size of all buffered request bodies together, with the copies that larder makes of them
        /// (two for embeddings, one for chat); more get 503. At least four times `max_body` is used.
        max_in_flight: ByteSize = "256MiB",
        /// Maximum size of all buffered responses together: those that larder reads to the end, those of
        /// slow clients, and the part of a stream that later clients can still join. Beyond it, a response
        /// that must be buffered gets 503, and streams cannot be joined.
        max_answers: ByteSize = "1GiB",
        /// Maximum time for a client to send a request head, and for a TLS handshake.
        head_timeout: Duration = "10s",
        /// Maximum time for a client to send a body that larder buffers, and maximum pause between two pieces
        /// of a body that it relays.
        body_timeout: Duration = "60s",
        /// Maximum time in which a client reads nothing of a response. Then its connection is closed.
        write_timeout: Duration = "30s",
        /// Maximum time for which a connection may be idle. Longer than the times of clients (Go 90 s,
        /// `OkHttp` 300 s): a server that closes first can meet a client's next request.
        idle_timeout: Duration = "310s",
        /// Maximum time for requests in flight to finish after SIGTERM.
        drain: Duration = "30s",
        /// Absolute path of the socket over which a process hands its listeners to a new one (SIGQUIT,
        /// `--upgrade`).
        upgrade_socket: String = "/run/larder-upgrade.sock",
    }
}

section! {
    /// Cache entries: size, lifetime and scope.
    Cache {
        /// Size of the memory tier, overhead included. One eighth of it holds whole responses for
        /// byte-identical requests.
        memory: ByteSize = "512MiB",
        /// Lifetime of an embedding. 0: until it is evicted or purged.
        ttl: Duration = "0",
        /// Time after its expiry in which an embedding is still served if the provider fails. 0: not at all. A
        /// request can override it with `Cache-Control: stale-if-error=SECONDS`.
        stale_if_error: Duration = "1h",
        /// Lifetime of a chat completion. 0: until it is evicted or purged.
        chat_ttl: Duration = "24h",
        /// Time after its expiry in which a chat completion is still served if the provider fails. 0: only
        /// if a request asks for it with `Cache-Control: stale-if-error=SECONDS`.
        chat_stale_if_error: Duration = "0",
        /// Lifetime of a 400, 404, 413 or 422 response, for byte-identical requests. 0 disables negative
        /// caching.
        negative_ttl: Duration = "5s",
        /// Maximum size of a chat completion that is cached, or joined while it streams. Each stream in
        /// flight may hold that much memory.
        max_transcript: ByteSize = "4MiB",
        /// Scope of cached responses. `credential`: only requests with the same credential. `shared`: all
        /// clients. `header:NAME`: requests with the same value of that header, which is not forwarded;
        /// requests without it: only those with the same credential. Provider calls always use the credential
        /// of their own request.
        scope: Sharers = "credential",
        /// Refuses requests without the header of `scope = "header:NAME"`: 400 `bad_request`.
        scope_required: bool = "false",
        /// Names of request headers that do not change a response, besides those that larder knows
        /// (tracing, user agents, SDK telemetry). All other headers are part of the cache key.
        harmless_headers: Vec<String> = "",
        /// Secret that hashes the credentials in cache keys. Replicas that share a tier need the same one.
        /// Empty: derived from the password of `redis.url`; without one, generated and stored in `disk.dir`;
        /// without both, generated at each start.
        secret: Secret = "",
    }
}

section! {
    /// Authentication of clients.
    Access {
        /// `off`: all clients that reach the listener. `verify`: cached responses only for credentials that
        /// the provider has accepted. Keys not verified within `verify_every` are checked against the
        /// provider's model list; if that list is public, the request itself is forwarded. `allowlist`: only
        /// clients with one of the keys below in place of the provider's key; others get 401.
        auth: Auth = "off",
        /// Time for which a verified credential counts as accepted (`verify`). After half of it the
        /// credential is verified again in the background. If the provider does not respond,
        /// `cache.stale_if_error` is added.
        verify_every: Duration = "5m",
        /// File with the API keys of clients, one a line (`allowlist`). Other users must not be able to read
        /// it. A reload reads it again.
        keys_file: KeyFile = "",
        /// API keys of clients, besides those of `keys_file`. Prefer the variable `LARDER_KEYS`.
        keys: Vec<Secret> = "",
    }
}

section! {
    /// Disk tier: cached responses that outlive a restart.
    Disk {
        /// Directory of the disk tier. Empty: none. It is created with mode 0700 if it does not exist.
        dir: String = "",
        /// Maximum size of its files. The oldest entries that were not used since are removed first.
        size: ByteSize = "10GiB",
        /// Maximum time of a lookup. Then the provider is called.
        timeout: Duration = "50ms",
        /// Maximum size of the entries that wait to be written. Further entries are not written.
        max_queued: ByteSize = "64MiB",
    }
}

section! {
    /// Shared tier: cached responses in a Redis or Valkey that replicas share.
    Redis {
        /// `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`. Empty: no shared tier. `rediss`: over TLS.
        /// `redis+cluster://HOST:PORT,HOST:PORT`: a cluster. `redis+sentinel://HOST:PORT,.../NAME`: the
        /// master of that name. `rediss+cluster`, `rediss+sentinel`: these over TLS.
        url: SecretUrl = "",
        /// Beginning of the names of all keys.
        prefix: String = "larder",
        /// Maximum lifetime of an entry. 0: until Redis evicts it.
        ttl: Duration = "30d",
        /// Maximum time of a lookup, at least 2ms. Then the provider is called.
        timeout: Duration = "5ms",
        /// PEM file of the root certificates to trust instead of the platform's. Empty: the platform's.
        ca_file: String = "",
        /// Maximum size of the entries that wait to be written. Further entries are not written.
        max_queued: ByteSize = "64MiB",
        /// Lease for a cross-replica fetch, renewed while the call runs. If the replica dies, the others wait
        /// at most this long. 0: each replica calls the provider itself.
        lease: Duration = "1s",
    }
}

section! {
    /// A provider: address, credentials, connections, timeouts and batching. Its name is the first segment
    /// of its paths.
    Provider {
        /// Base URL, with its version segment if it has one. Empty: the public address of a built-in provider.
        base_url: String = "",
        /// Dialect: the request and response format. Empty: the dialect with the provider's name, or else
        /// `openai`.
        dialect: String = "",
        /// Environment variable with the provider's API key. It replaces the credential of the client. Off
        /// loopback it needs `access.auth = "allowlist"`. Empty: the client's credential is forwarded. The
        /// key is removed from provider responses; WebSocket traffic is not scanned.
        api_key_env: KeyVariable = "",
        /// Headers and query parameters in which the provider takes a credential, besides those of its dialect:
        /// `authorization`, and for some dialects `x-api-key`, `api-key`, `x-goog-api-key`. A credential in
        /// another place is meant for another provider, and is not forwarded.
        credentials_in: Vec<String> = "",
        /// PEM file of certificates to trust besides the platform's: authorities, or the server's own self-signed
        /// certificate. Empty: the platform's only.
        ca_file: String = "",
        /// Maximum number of calls in flight. Over HTTP/1.1, each has its own connection. While calls wait for a
        /// place, a call that has waited for its client for 1 s in all (slow upload, slow reading) has none.
        max_connections: u32 = "100",
        /// Maximum number of idle connections.
        idle_connections: u32 = "20",
        /// Time after which an idle connection is closed.
        idle_timeout: Duration = "30s",
        /// Minimum number of open connections, used or not. They are opened at the start and replaced when
        /// they close. One is enough for HTTP/2. At most `max_connections` and `idle_connections`.
        warm_connections: u32 = "0",
        /// Maximum time for which a call waits in the queue, if the client does not send its own timeout
        /// (`x-stainless-read-timeout`, `x-stainless-timeout`). Then the response is 503, or 429 if the
        /// provider accepts no more calls for now.
        permit_timeout: Duration = "30s",
        /// Maximum time to open a connection, TLS included.
        connect_timeout: Duration = "5s",
        /// Time after which a call is cancelled once no request waits for it. A response that ends before is
        /// still cached.
        orphan_grace: Duration = "1s",
        /// Maximum time from the end of a request until the head of its response.
        first_byte_timeout: Duration = "600s",
        /// Maximum time until the end of a response that larder buffers.
        total_timeout: Duration = "900s",
        /// Consecutive failures that open the circuit breaker. 0 disables it.
        breaker_failures: u32 = "5",
        /// Maximum number of embedding calls in a hundred that are retried after a failure.
        retry_percent: u32 = "10",
        /// Other providers, in this order, for requests while this one fails. They need the same models and
        /// the same dialect, and either the same host or their own `api_key_env`. Their responses are cached
        /// under their names. Bodies that larder does not buffer are not sent twice.
        fallback: Vec<String> = "",
        /// Hedging: after this delay send an embedding call again, or a chat call whose response has not begun,
        /// and use the response that comes first. 0 disables it.
        hedge_after: Duration = "0",
        /// Maximum number of embedding and chat calls in a hundred that are hedged.
        hedge_percent: u32 = "5",
        /// Maximum size, decoded, of a response that larder buffers.
        max_reply: ByteSize = "256MiB",
        /// Chat completions that are cached. `off`: none. `deterministic`: requests with `temperature` 0, one
        /// choice and no tools. `all`: also requests with random results. Incomplete responses, and requests
        /// that store something at the provider, are never cached.
        chat_cache: ChatCache = "deterministic",
        /// `chat_cache` for single models. The first match counts: `["gpt-4o=all", "o*=off"]`.
        chat_cache_models: ModelRules = "",
        /// Other endpoints whose responses are cached: `moderations`, `rerank`, `count_tokens`, `tokenize`,
        /// `models` (for at most 10 seconds).
        cache_routes: CachedRoutes = "",
        /// Routes of a store, a provider of the dialect `generic`; see `[[providers.NAME.routes]]`.
        routes: Routes = "",
        /// Time in which inputs are collected while a call is in flight, before the next call. Requests that
        /// were answered together are collected for at most 5ms. A single request never waits.
        batch_gap: Duration = "10ms",
        /// Maximum number of inputs of different requests in one call. A larger request is not split for
        /// it. More than 16 waiting inputs are sent in up to four parallel calls, within `max_connections`.
        batch_inputs: u32 = "128",
        /// Maximum size of the inputs that wait for calls, with 1,200 bytes for each besides its text. More get 503.
        max_queued: ByteSize = "256MiB",
        /// Requests over the provider's limits. `split`: several calls, one response in order. `forward`: one
        /// call, and the provider's own response.
        oversize: Oversize = "split",
        /// Maximum number of inputs in one call. 0: the known limit of the dialect.
        max_inputs: u32 = "0",
        /// Maximum number of tokens in one call. 0: the known limit of the dialect.
        max_tokens: u32 = "0",
        /// Maximum size of the inputs in one call. 0: the known limit of the dialect.
        max_bytes: ByteSize = "0",
    }
}

impl Access {
    /// The keys of the file and of the list.
    pub fn all_keys(&self) -> impl Iterator<Item = &Secret> {
        self.keys_file.keys().iter().chain(&self.keys)
    }
}
