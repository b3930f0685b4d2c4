//! Every key: its type, its default, and what it does. Nothing else says so anywhere.

use std::net::SocketAddr;
use std::time::Duration;

use super::keys::{KeyFile, KeyVariable};
use super::models::ModelRules;
use super::pem_file::PemFile;
use super::read::{Key, Reader, Section, Table, section};
use super::sharers::Sharers;
use super::socket_path::SocketPath;
use super::stores::Routes;
use super::units::{ByteSize, Secret, Setting};
use super::words::{Auth, CachedRoutes, ChatCache, Mode, Oversize};

section! {
    /// The listeners, and what a client may ask of them.
    Server {
        /// Where applications connect. Port 0 picks a free port.
        listen: SocketAddr = "127.0.0.1:5273",
        /// A socket file (mode 0660) where applications on this machine connect too, without TCP; empty is
        /// none. One that a dead process left is replaced; any other file is an error.
        unix_socket: SocketPath = "",
        /// The certificate that `listen` is encrypted with (TLS 1.2 and 1.3), and those that vouch for it, in
        /// this order; empty is plain HTTP. It is read again at each reload.
        tls_cert: PemFile = "",
        /// Its private key, in a file that nobody else can read. Both or neither.
        tls_key: PemFile = "",
        /// Where metrics, health and the admin API are. Port 0 picks a free port.
        admin_listen: SocketAddr = "127.0.0.1:5274",
        /// What an administrator has to show (`Authorization: Bearer`), except at `/healthz` and
        /// `/readyz`. Empty is nothing, and then the listener must be on loopback, and is only answered
        /// under a name of this machine.
        admin_token: Secret = "",
        /// The provider of every path that does not begin with a provider's name.
        default_provider: String = "openai",
        /// Whether a connection is opened at the start to each provider that is in use: the default one, and those
        /// that this file, a flag or a variable names. It is `warm_connections = 1` for those that say nothing more.
        eager: bool = "false",
        /// `record` writes every answer into `recordings`; `replay` answers only from there, and calls no
        /// provider (`config/REPLAY.md`).
        mode: Mode = "live",
        /// The folder of what is recorded and replayed. It holds what models said, and is made to be
        /// committed with an application's tests.
        recordings: String = "",
        /// Threads that serve requests; 0 is one for each core.
        threads: u32 = "0",
        /// How many connections may be open at once; more are answered 503.
        max_connections: u32 = "16384",
        /// How large a request head may be; beyond it the answer is 431.
        max_head: ByteSize = "64KiB",
        /// How large a body may be that larder reads to the end, decoded; beyond it the answer is
        /// 413. Relayed bodies are never held, and have no bound.
        max_body: ByteSize = "64MiB",
        /// How many bytes of such bodies may be held at once, those of all requests together; beyond
        /// it the answer is 503. At the least twice `max_body`.
        max_in_flight: ByteSize = "256MiB",
        /// How many bytes of answers may be held at once: those that larder reads to the end, those that a
        /// client takes slowly, and what of an answer has come so far for who may still join it. Beyond
        /// it an answer that has to be read to the end is a 503, and nobody joins one that is coming.
        max_answers: ByteSize = "1GiB",
        /// How long a client may take to send a request head, and for a TLS handshake.
        head_timeout: Duration = "10s",
        /// How long a client may take to send a body that larder reads to the end.
        body_timeout: Duration = "60s",
        /// How long a client may take nothing at all of an answer that is being written; then its
        /// connection ends.
        write_timeout: Duration = "30s",
        /// How long a connection may be idle. Longer than any SDK keeps one, so that the SDK is
        /// the one who closes.
        idle_timeout: Duration = "90s",
        /// How long what is in flight may take to finish after SIGTERM.
        drain: Duration = "30s",
        /// Where a running process hands its listeners to a new one (SIGQUIT, `--upgrade`).
        upgrade_socket: String = "/run/larder-upgrade.sock",
    }
}

section! {
    /// What is kept, and for how long.
    Cache {
        /// How much the memory tier may hold, all overhead counted. An eighth of it is for whole
        /// answers, kept as they were written for who asks again in the same bytes.
        memory: ByteSize = "512MiB",
        /// How long an embedding is good; 0 is for ever, until it is evicted or purged.
        ttl: Duration = "0",
        /// How long after its end an embedding is still given where the provider fails; 0 is not at
        /// all. A request may say otherwise (`Cache-Control: stale-if-error=SECONDS`).
        stale_if_error: Duration = "1h",
        /// How long an answer of a model is good; 0 is for ever, until it is evicted or purged.
        chat_ttl: Duration = "24h",
        /// How long after its end an answer of a model is still given where the provider fails; 0 is not
        /// at all, unless a request asks for it (`Cache-Control: stale-if-error=SECONDS`).
        chat_stale_if_error: Duration = "0",
        /// How long a provider's no to a request that is wrong in itself (400, 404, 413, 422) is given
        /// again to the same bytes; 0 is not at all.
        negative_ttl: Duration = "5s",
        /// How large an answer of a model may be that is kept, or joined while it comes. So much is
        /// held for each answer that is on its way.
        max_transcript: ByteSize = "4MiB",
        /// Who shares stored answers: `credential` is who asks with the same one; `shared` is everybody;
        /// `header:NAME` is who sends the same value of that header, which the provider does not see.
        /// Whoever asks for what is not stored does so with its own credential, in calls of its own.
        scope: Sharers = "credential",
        /// Request headers that change no answer, beside those that larder knows (tracing, user
        /// agents, SDK telemetry). Every other header is part of the cache key.
        harmless_headers: Vec<String> = "",
        /// What the credentials in cache keys are hashed with. Replicas that share a tier need the same.
        /// Empty is one made from the password of `redis.url`, or else one that is kept in `disk.dir`, or
        /// else one that ends with the process.
        secret: Secret = "",
    }
}

section! {
    /// Who is answered.
    Access {
        /// `off` is whoever reaches the listener. `verify` gives a stored answer only to a credential
        /// that the provider accepts; where it has not been seen to do so of late, the provider is asked,
        /// by its list of models. Where a provider has no such list for known callers only, the request
        /// goes there. `allowlist` answers only who shows one of the keys that are listed below, where
        /// the provider's key would be; everybody else is told 401.
        auth: Auth = "off",
        /// How long it holds that a provider has accepted a credential (`verify`). From half of that on
        /// it is asked again, while requests go on; where it does not answer, `cache.stale_if_error`
        /// longer.
        verify_every: Duration = "5m",
        /// A file of keys, one a line (`allowlist`). It is read again at each reload.
        keys_file: KeyFile = "",
        /// Keys, beside those of the file; best from the environment (`LARDER_KEYS`, with commas).
        keys: Vec<Secret> = "",
    }
}

section! {
    /// What lasts: answers on this machine's disk, found again after a restart.
    Disk {
        /// The directory; empty is no disk tier. It is created (mode 0700) if it is not there.
        dir: String = "",
        /// How much its files may hold; what was stored first goes first, unless it was used since.
        size: ByteSize = "10GiB",
        /// How long a look-up may take; then the provider is asked.
        timeout: Duration = "50ms",
        /// How many bytes may wait to be written; what comes beyond is not written.
        max_queued: ByteSize = "64MiB",
    }
}

section! {
    /// What is shared: answers in a Redis or Valkey that other replicas look into too.
    Redis {
        /// `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`; empty is no shared tier. `rediss` is over TLS;
        /// `redis+cluster://HOST:PORT,HOST:PORT` is a cluster; `redis+sentinel://HOST:PORT,.../NAME`
        /// is the master of that name; `rediss+cluster` and `rediss+sentinel` are these over TLS.
        url: Secret = "",
        /// What all keys begin with.
        prefix: String = "larder",
        /// How long an entry is kept at the most; 0 is until Redis evicts it.
        ttl: Duration = "30d",
        /// How long a look-up may take; then the provider is asked.
        timeout: Duration = "5ms",
        /// Roots to trust instead of the platform's: a file of PEM certificates.
        ca_file: String = "",
        /// How many bytes may wait to be written; what comes beyond is not written.
        max_queued: ByteSize = "64MiB",
        /// How long a replica that asks the provider keeps the others from asking for the same, unless
        /// it says that it still does. So long its death may delay them. 0 lets each ask for itself.
        lease: Duration = "1s",
    }
}

section! {
    /// A provider: where its calls go, how many at a time, and how inputs are put together. The
    /// name is the first segment of the paths that are meant for it.
    Provider {
        /// Where the provider is, with its version segment if it has one. Empty for a provider
        /// that is built in, and then its public address.
        base_url: String = "",
        /// Whose wire shapes it speaks. Empty is the dialect of the provider's own name, where there
        /// is one, and otherwise `openai`.
        dialect: String = "",
        /// The environment variable that holds the key to call it with, in place of whatever credential a
        /// client sends. Off loopback that needs `access.auth = "allowlist"`. The key is struck out of
        /// whatever the provider answers; what an agreed other protocol carries is not looked at.
        api_key_env: KeyVariable = "",
        /// Roots to trust besides the platform's: a file of PEM certificates.
        ca_file: String = "",
        /// How many calls may be under way at once, each on a connection of its own over HTTP/1.1.
        max_connections: u32 = "100",
        /// How many unused connections are kept open.
        idle_connections: u32 = "20",
        /// How long an unused connection is kept open.
        idle_timeout: Duration = "30s",
        /// How many connections are open at the least, called or not: they are opened at the start, and again when
        /// they are gone, every few seconds at the most and less often where they do not last. One is enough for
        /// what speaks HTTP/2. At most `max_connections` and `idle_connections`.
        warm_connections: u32 = "0",
        /// How long a call may wait for its turn, where the client does not say how long it waits for
        /// the answer (`x-stainless-read-timeout`, `x-stainless-timeout`); then the answer is 503, or
        /// 429 where the provider wants no more calls for now.
        permit_timeout: Duration = "30s",
        /// How long opening a connection may take, TLS included.
        connect_timeout: Duration = "5s",
        /// How long the head of the answer may take.
        first_byte_timeout: Duration = "600s",
        /// How long a whole answer may take, where larder reads it to the end.
        total_timeout: Duration = "900s",
        /// How many calls in a row may get no answer at all before the provider is not called for a
        /// moment, and who asks is told so at once (503); 0 is any number.
        breaker_failures: u32 = "5",
        /// How many of a hundred calls for embeddings may be made again when nothing came of them.
        retry_percent: u32 = "10",
        /// Other providers, in this order, that requests go to while this one fails: the same models
        /// elsewhere, in the same dialect. Each is at the same host or has `api_key_env`, so that nobody is
        /// shown another's credential. What comes from there is kept as theirs. Bodies that larder does not
        /// read to the end are not sent twice.
        fallback: Vec<String> = "",
        /// After how long a call for embeddings is made a second time, on another connection, for the
        /// answer that comes first; 0 is never.
        hedge_after: Duration = "0",
        /// How many of a hundred calls may be made a second time for being slow.
        hedge_percent: u32 = "5",
        /// How large an answer may be that larder reads to the end, decoded.
        max_reply: ByteSize = "256MiB",
        /// Which answers of models are kept: `off`; `deterministic` is where a request says
        /// `temperature` 0, asks for one answer, and offers no tools; `all` is also where the
        /// provider would answer differently each time. Answers that did not end well are never
        /// kept, and requests that keep something at the provider are never answered from here.
        chat_cache: ChatCache = "deterministic",
        /// The same for some models, the first that fits: `["gpt-4o=all", "o*=off"]`.
        chat_cache_models: ModelRules = "",
        /// Other endpoints whose whole answers are kept, out of `moderations`, `rerank`,
        /// `count_tokens`, `tokenize` and `models` (which is kept for 10 seconds at the most).
        cache_routes: CachedRoutes = "",
        /// What larder does with requests for a store, which is what the `dialect` `generic` is for; see below.
        routes: Routes = "",
        /// How long inputs are collected while a call is under way, before the next one leaves; and for
        /// 5ms at the most, those whose requests were answered together a moment ago. A lone request
        /// never waits.
        batch_gap: Duration = "10ms",
        /// How many inputs of different requests go into one call. A request that is larger by
        /// itself is not cut for this. Where more than 16 wait, they go out in up to four calls side by
        /// side, as far as `max_connections` allows.
        batch_inputs: u32 = "128",
        /// How many bytes of input may wait for their calls; beyond it the answer is 503.
        max_queued: ByteSize = "256MiB",
        /// What happens to a request that is larger than the provider takes.
        oversize: Oversize = "split",
        /// Inputs that the provider takes in one call; 0 is what is known of its dialect.
        max_inputs: u32 = "0",
        /// Tokens that the provider takes in one call; 0 is what is known of its dialect.
        max_tokens: u32 = "0",
        /// Bytes of input that the provider takes in one call; 0 is what is known of its dialect.
        max_bytes: ByteSize = "0",
    }
}

impl Access {
    /// The keys that are listed.
    pub fn all_keys(&self) -> impl Iterator<Item = &Secret> {
        self.keys_file.keys().iter().chain(&self.keys)
    }
}
