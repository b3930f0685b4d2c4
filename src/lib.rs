//! larder: a caching and batching sidecar for applications that call LLM and embedding providers.
//!
//! An application changes one base URL; from then on its embedding inputs are cached, coalesced and
//! batched one by one, answers of models that hold for whoever asks the same are kept and shared, and
//! everything else passes through pooled connections untouched.
//!
//! # Floors
//!
//! A module names only modules of lower floors; `tests/it/layers.rs` holds this.
//!
//! | floor | modules |
//! | --: | --- |
//! | 9 | `main`, [`cli`] |
//! | 8 | [`server`]: the process, its listeners and their hand-over |
//! | 7 | [`gate`]: HTTP on the connections that the server accepts |
//! | 6 | [`serve`]: the use cases |
//! | 5 | [`batch`], [`export`] |
//! | 4 | [`tier`], [`flight`], [`broadcast`], [`upstream`], [`explain`], [`recording`] |
//! | 3 | [`dialect`], [`whole`], [`sse`], [`transcript`], [`credential`], [`refusal`] |
//! | 2 | [`key`], [`vector`], [`headers`], [`ceiling`], [`ledger`], [`trace`] |
//! | 1 | [`request`], [`error`], [`metrics`], [`clock`], [`codec`], [`joining`] |
//! | 0 | [`config`], [`usage`], [`sync`], [`bell`], [`os_error`], [`throttle`], `chance` for tests |
//!
//! [`simulate`], the simulated provider, stands apart.
//!
//! # Invariants
//!
//! 1. Between the leader's answer and eviction a key is in the memory tier *or* in flight, never in
//!    neither: into memory, then the flight lands.
//! 2. A client's departure cancels only itself. Work that a lane owns outlives the request that
//!    started it.
//! 3. Claims are taken for all keys before the first await; what is claimed is submitted before
//!    anything is awaited.
//! 4. A dialect never does I/O; an upstream reads the head of what a provider says,
//!    and asks the dialect about the rest.
//! 5. Every queue, map and buffer has a bound, in bytes where bytes are what grows.
//! 6. The keyed hash of the credential that a provider is shown is part of every lane, flight and
//!    broadcast, and, unless the operator says who else shares, of every key; the credential itself is
//!    never logged and never stored. A call has one credential.
//! 7. Bytes that are not understood pass through unchanged. What cannot be parsed exactly is
//!    relayed.
//! 8. A tier below memory never fails a request, and never takes longer than its time. What is read from
//!    it says under a keyed digest what it is, and is not there if it does not.
//! 9. What a provider's answer brings is stored only after its count, order, dimensions and numbers
//!    were checked.
//! 10. What was read of a store is given to nobody who asks after the answer to a write that went out
//!     later: it is kept, and on its way, under the number of writes of the moment at which it was asked.
//!
//! # The way of a request for embeddings
//!
//! 1. [`gate::Proxy::exchange`] reads the head, finds the provider ([`gate::route`]) and reads the
//!    body to its end, within bounds.
//! 2. [`serve::Service::answer`] asks the tier for the whole answer to the very same bytes
//!    ([`tier::memory::Memory::recall`]). If there is none, it reads the request
//!    ([`dialect::EmbedShape::read`]), makes a [`key::CacheKey`] for each input and looks into
//!    [`tier::memory::Memory`]. If all are there, the answer is written
//!    ([`dialect::EmbedShape::write_reply`]) and that is all: no spawn, no channel, no await.
//! 3. What is not in memory is looked for in the tiers below it, if there are any ([`tier::Tiers::dig`]),
//!    and put into those above. What is missing is claimed ([`flight::Flights`]): the request leads some
//!    keys and follows others. It submits what it leads to the [`batch::Batcher`] and waits for all.
//!    Where replicas share a tier, the batcher first takes a lease for each key, and waits for those that
//!    another replica has.
//! 4. A lane sends a lone request at once, and collects what comes while its call is under way; a
//!    call goes out under a permit ([`upstream::Upstream::call`]), in the request's own bytes if it
//!    is alone.
//! 5. The answer is checked ([`dialect::EmbedShape::read_reply`]); each vector goes into memory, and
//!    into the queues of the tiers below, then lands its flight. A call that is refused for one input
//!    is taken apart, and each request gets its own answer.
//! 6. The gate writes status, `Cache-Status` and body.
//!
//! There is a shorter way for what comes again under the same head on its connection, when the whole answer
//! is remembered: [`gate::Express`] gives it past hyper, from the bytes as they came.
//!
//! # The way of a request for a model's words
//!
//! 1. As above, until the body is there; unless the settings or the request's head say that it is nobody
//!    else's business. The first of the operator's rules that fits it ([`serve::Rules`]) may answer it,
//!    send it to another model or provider, or say whether its answer is kept; from here on it is the
//!    request that is sent.
//! 2. [`dialect::ChatShape::read`] says what the question is, and whether two who ask it may be given
//!    the same answer. If not, it is relayed.
//! 3. The answer is in [`tier::memory::Memory`] or in a tier below it, and its bytes go out as they once
//!    came ([`transcript::Transcript`]); or it is on its way, and the request reads along from the first
//!    byte ([`broadcast::Broadcasts::join`]); or the request leads, where replicas share a tier under a
//!    lease.
//! 4. A task of the server's own makes the call and feeds the answer to all its readers, looking at its
//!    frames ([`sse`]) for how it ends. Ended well, it is kept, then given up by the broadcast.
//! 5. The gate writes each reader's bytes as they come. A provider that breaks off breaks off every
//!    reader's connection.
//!
//! A read of a store ([`dialect::store`]) goes the same way. A write is passed on; before it goes out, and
//! before anything of its answer is seen, it raises the number that its namespace is kept under
//! ([`tier::writes`]).
//!
//! Everything else is relayed ([`serve::Service::pass`]): bytes both ways, as they come.
//!
//! # The way of a recording
//!
//! Where larder records, a request goes one of these ways, and what its client is told goes into files
//! beside it ([`recording::Recorder`]): vectors by their inputs, everything else by the question. Where it
//! replays, a request ends at the gate with what is in them ([`recording::Player`]), or fails; no
//! [`upstream::Upstream`] gives a permit.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | upstream | one configured provider: URL, dialect, limits |
//! | dialect | a provider's wire shapes |
//! | envelope | what a request says beside its body that may change its answer: for storing, with who shares it; for calling, with the credential |
//! | family | everything that two inputs must share to be comparable: envelope, upstream, model, parameters |
//! | flight | one key that is being computed now; it is led by one request and followed by others |
//! | lane | the queue of requests that may travel in one call |
//! | seat | one input in a lane or a call |
//! | original | a request as it came, kept so that it can be asked again alone |
//! | source, reader | the two sides of a broadcast: an answer on its way, and who reads it |
//! | generation | how often, and when, a scope (everything, a provider, a model) was purged; an entry of an older one is not there |
//! | tag | what an entry is called by its provider, model and operation |
//! | portion | inputs that are asked for in one request, of a list that is embedded in the background |
//! | line | a tier's own seconds, on which its entries were stored and end |
//! | lease | the right to ask the provider for a key, among replicas |
//! | transcript | a model's answer as it is kept: the provider's bytes |
//! | recording | what clients were told, in files; it is made by a sidecar that records, and given by one that replays |
//! | tape | what has come of an answer that is being recorded |
//! | rule | what the operator wants done with some requests for a model's words |
//! | store | a database that is asked over HTTP, where what is read may be written to |
//! | namespace | the part of a store that a request is for, as its route tells |
//! | span | one step of a request, and how long it took, as traces show it |
//! | verdict | what the cache did, in the words of RFC 9211 |

pub mod batch;
pub mod bell;
pub mod broadcast;
pub mod ceiling;
#[cfg(test)]
mod chance;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod config;
pub mod credential;
pub mod dialect;
pub mod error;
pub mod explain;
pub mod export;
pub mod flight;
pub mod gate;
pub mod headers;
pub mod joining;
pub mod key;
pub mod ledger;
pub mod metrics;
pub mod os_error;
pub mod recording;
pub mod refusal;
pub mod request;
pub mod serve;
pub mod server;
pub mod simulate;
pub mod sse;
pub mod sync;
pub mod throttle;
pub mod tier;
pub mod trace;
pub mod transcript;
pub mod upstream;
pub mod usage;
pub mod vector;
pub mod whole;
