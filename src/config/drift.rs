//! The drift check.

use super::Share;
use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;

section! {
    /// Drift check: larder requests some embedding hits again, in the background and with the client's
    /// credential, and compares the vectors.
    Drift {
        /// Share of embedding hits that are requested again, from 0 to 1. 0 disables the check. The provider
        /// bills each call; 0.001 is enough.
        share: Share = "0",
        /// Cosine distance from which a difference is a warning in the log. 0: the same direction. Providers
        /// that compute in batches differ by about 1e-6.
        distance: Share = "0.01",
        /// Purges all entries of the model after such a difference.
        purge: bool = "false",
    }
}
