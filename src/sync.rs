//! The locks of what is checked as a model: flights and broadcasts take theirs from here.
//!
//! `tests/models` compiles the same sources with shuttle's locks in this module's place, so that a
//! scheduler decides at each of them who goes on.

pub use std::sync::{Mutex, MutexGuard};
