//! The `connectord-validate` command: what `connectord` becomes for `validate`, which needs a TLS library.

use std::process::ExitCode;

fn main() -> ExitCode {
    connectord::cli::run(connectord::cli::validate)
}
