//! `connectord`, which has no TLS library in it, and `connectord-validate`, which `validate` becomes.

use std::fs;
use std::process::Command;

use crate::bench::{BINARY, Bench, CONFIGURATION, ended};
use crate::daemon::Daemon;

const VALIDATE: &str = env!("CARGO_BIN_EXE_connectord-validate");

/// Hostile bytes come to the daemon: it has no library in it that it has no use for.
#[test]
#[expect(clippy::print_stderr, reason = "why it did not look")]
fn the_daemon_has_no_tls_library_in_it() {
    let binary = fs::read(BINARY).unwrap();
    if !binary.windows(11).any(|octets| octets == b"Linker: LLD") {
        assert!(std::env::var_os("CONNECTORD_TESTS_MUST_NOT_SKIP").is_none(), "Rust's own linker is needed");
        eprintln!(
            "skipped: without LTO only LLD, Rust's linker since 1.90, leaves out libraries that nothing calls"
        );
        return;
    }
    let bench = Bench::new(CONFIGURATION);
    let daemon = Daemon::start(&bench);
    let maps = fs::read_to_string(format!("/proc/{}/maps", daemon.pid())).unwrap();
    assert!(maps.contains("libc.so"), "{maps}");
    assert!(!maps.contains("libssl") && !maps.contains("libcrypto"), "{maps}");
}

#[test]
fn validate_needs_the_other_program_beside_it() {
    let bench = Bench::new(CONFIGURATION);
    // Where this runs from there is none.
    let ended = bench.run_unprivileged(&["validate", "contoso"]).expect(70);
    assert_eq!(ended.stdout, "");
    let expected = format!("connectord: {}: No such file", bench.path("connectord-validate").display());
    assert!(ended.stderr.starts_with(&expected) && ended.stderr.contains("install both"), "{}", ended.stderr);
}

#[test]
fn the_other_program_does_nothing_by_itself_or_for_another_version() {
    for (version, code, expected) in
        [(None, 64, "this is what `connectord validate` becomes"), (Some("0.0.1"), 70, "install both")]
    {
        for arguments in [&["--help"][..], &["serve"], &["validate", "--all"]] {
            let mut command = Command::new(VALIDATE);
            command.args(arguments).env_remove("CONNECTORD_VALIDATE_FOR");
            command.envs(version.map(|version| ("CONNECTORD_VALIDATE_FOR", version)));
            let ended = ended(&mut command).expect(code);
            assert!(ended.stdout.is_empty() && ended.stderr.contains(expected), "{arguments:?} {ended:?}");
        }
    }
}
