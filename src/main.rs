//! The command line's exit codes: 0 ok, 1 failed while running, 2 wrong usage or configuration.

use std::process::ExitCode;

fn main() -> ExitCode {
    larder::cli::main()
}
