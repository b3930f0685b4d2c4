//! What must hold of the built binary, seen from outside: through its listeners, its exit codes and
//! its metrics. Every vector is computed again and compared bit for bit.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unnecessary_wraps,
    reason = "a test fails by panicking, and tells its figures"
)]

mod access;
mod analyze;
mod answers;
mod bench;
mod bounds;
mod caps;
mod chat;
mod cli;
mod coalesce;
mod configuration;
mod connections;
mod dialects;
mod directives;
mod disk;
mod doctor;
mod drift;
mod eager;
mod edges;
mod embed;
mod entries;
mod env;
mod explain;
mod express;
mod failures;
mod fallback;
mod forms;
mod fuzz;
mod gate;
mod generated;
mod greedy;
mod handover;
mod harness;
mod headers;
mod help;
mod hostile;
mod invoice;
mod isolate;
mod layers;
mod ledger;
mod life;
mod limits;
mod listen;
mod marathon;
mod memory;
mod merging;
mod noise;
mod pacing;
mod paths;
mod patience;
mod property;
mod rate_headers;
mod recall;
mod redirects;
mod reload;
mod replay;
mod replies;
mod request_log;
mod resend;
mod routes;
mod rules;
mod run;
mod rust_source;
mod secrets;
mod service_manager;
mod shapes;
mod shared;
mod stats;
mod stores;
mod strangers;
mod streams;
mod tail;
mod traces;
mod trouble;
mod trust;
mod tunnel;
mod uploads;
mod warm;
mod words;
mod worker;
