//! The `connectord` command. It has no TLS library in it: the daemon, which hostile bytes come to, needs
//! none, and is small without. What needs one is handed over to `connectord-validate`.

use std::process::ExitCode;

fn main() -> ExitCode {
    connectord::cli::run(connectord::cli::hand_over)
}
