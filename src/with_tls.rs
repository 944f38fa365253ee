//! The `connectord-validate` program: what `connectord validate` and `connectord prove` become. It has a TLS library in it.

use std::process::ExitCode;

fn main() -> ExitCode {
    connectord::cli::run_handed_over()
}
