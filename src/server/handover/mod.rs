//! The hand-over of the listening sockets from a running process to its successor (SIGQUIT, `--upgrade`).
//!
//! The successor binds `server.upgrade_socket` once everything behind its listeners is built, and waits. At
//! SIGQUIT the running process connects there and both go through four messages:
//!
//! | from | message | meaning |
//! | --- | --- | --- |
//! | running process | `offer` with the sockets (`SCM_RIGHTS`) | both hold the sockets from here on |
//! | successor | `ready`, or `refused` with a reason | it has every listener that it needs |
//! | running process | `take` | the running process has stopped accepting |
//! | successor | `serving` | the successor accepts; the running process drains |
//!
//! The running process gives up its listeners at `serving` only. Before that, any failure leaves it serving:
//! it never closed a socket, and connections that arrive meanwhile wait in the kernel's queue.

mod message;
mod offer;
mod receive;

use std::time::Duration;

pub(super) use offer::offer;
pub(super) use receive::{Handover, Successor};

/// Time to connect to the successor, and for it to answer `ready`. Everything slow is built before it waits.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between `take` and `serving`, in which neither process accepts.
const SERVING_TIMEOUT: Duration = Duration::from_secs(2);

/// Time that a successor waits for a running process to offer its sockets.
const OFFER_TIMEOUT: Duration = Duration::from_mins(5);

/// Mode of the upgrade socket: only the same user may offer sockets.
const UPGRADE_MODE: u32 = 0o600;
