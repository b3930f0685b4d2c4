//! What is shown at `/metrics` beside what always is.

use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;

section! {
    /// What `/metrics` shows on the admin's listener beside larder's own series.
    Metrics {
        /// Calls and tokens under `OpenTelemetry`'s names as well: `gen_ai_client_operation_duration_seconds`
        /// and `gen_ai_client_token_usage`, for boards that are written against those.
        gen_ai: bool = "false",
    }
}
