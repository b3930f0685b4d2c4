//! Optional metrics.

use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;

section! {
    /// Optional metrics at `/metrics` on the admin listener.
    Metrics {
        /// Also exports calls and tokens under the names of `OpenTelemetry`:
        /// `gen_ai_client_operation_duration_seconds` and `gen_ai_client_token_usage`.
        gen_ai: bool = "false",
    }
}
