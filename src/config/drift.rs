//! Whether hits are doubted, and how many.

use super::Share;
use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;

section! {
    /// Whether what is kept is still what the provider would say: hits for embeddings are asked again in
    /// the background, with the caller's own credential, and the vectors compared.
    Drift {
        /// The share of hits that is asked again, from 0 to 1. Each is a call that is billed: a thousandth
        /// is plenty.
        share: Share = "0",
        /// From which cosine distance on that is a warning in the log: 0 is the same, 2 the contrary.
        /// Providers that compute in batches differ by about 1e-6 by themselves.
        distance: Share = "0.01",
        /// Whether everything of the model is purged then.
        purge: bool = "false",
    }
}
