//! The `connectord-validate` program: what `connectord validate` becomes. It has a TLS library in it.

use std::process::ExitCode;

fn main() -> ExitCode {
    connectord::cli::run_handed_over()
}
