//! larder's flights and broadcasts, for shuttle: the sources themselves, with shuttle's locks in the
//! place of the standard library's. `tests/` has the models.
//!
//! The scheduler decides at every lock that is taken or given back, and at every wait. Reference
//! counts are no such point: nothing in here decides by one.

#[path = "../../../src/broadcast/mod.rs"]
pub mod broadcast;
#[path = "../../../src/ceiling.rs"]
pub mod ceiling;
#[path = "../../../src/error.rs"]
pub mod error;
#[path = "../../../src/flight/mod.rs"]
pub mod flight;
#[path = "../../../src/joining.rs"]
pub mod joining;
#[path = "../../../src/key.rs"]
pub mod key;
#[path = "../../../src/request.rs"]
pub mod request;
// What a head says of its call.
#[path = "../../../src/trace/context.rs"]
pub mod trace;

/// In the place of larder's `src/sync.rs`, and of `tokio::sync`.
pub mod sync {
    pub use shuttle::sync::{Mutex, MutexGuard};

    pub mod watch;
}

mod check;

pub use check::{check, key, maybe, unwind};

// Flights name `tokio::sync::watch`. `shuttle-tokio` has one, but counts its receivers where no
// scheduler looks, and brings a hundred crates.
extern crate self as tokio;
