//! The `connectord` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    connectord::cli::run()
}
