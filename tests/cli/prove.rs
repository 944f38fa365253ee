//! `prove`, as far as it needs no MTA: `tests/interop/prove.rs` and `prove_exim.rs` have one.

use std::path::Path;

use nix::unistd::geteuid;

use crate::bench::{Bench, CONFIGURATION, ended};

#[test]
fn it_takes_root() {
    let bench = Bench::new(CONFIGURATION);
    let mut command = bench.command(&["prove"]);
    if geteuid().is_root() {
        command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        command.args([env!("CARGO_BIN_EXE_connectord"), "prove"]);
    }
    let ended = ended(&mut command).expect(77);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("run it as root"), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_tried_is_said() {
    if !geteuid().is_root() {
        return;
    }
    let bench = Bench::new(CONFIGURATION);
    let unknown = bench.run(&["prove", "nobody\u{1b}"]).expect(64);
    assert!(unknown.stderr.contains(r"no outbound connector is called nobody\u{1b}"), "{}", unknown.stderr);
    let mut command = bench.command(&["prove", "--mta", "postfix"]);
    let without = ended(command.env("PATH", "/nowhere")).expect(69);
    assert!(without.stderr.contains("is Postfix installed"), "{}", without.stderr);
    let names = ["postconf", "exim4", "exim"];
    if !names.iter().any(|name| Path::new("/usr/sbin").join(name).exists()) {
        let mut command = bench.command(&["prove"]);
        let neither = ended(command.env("PATH", "/nowhere")).expect(64);
        assert!(
            neither.stderr.contains("neither Postfix nor Exim is in PATH")
                && neither.stderr.contains("name one, with --mta"),
            "{}",
            neither.stderr
        );
    }
    let both = tempfile::tempdir().unwrap();
    for name in ["postconf", "exim"] {
        std::fs::write(both.path().join(name), "").unwrap();
    }
    let mut command = bench.command(&["prove"]);
    let unsure = ended(command.env("PATH", both.path())).expect(64);
    assert!(
        unsure.stderr.contains("Postfix and Exim are both here: name one, with --mta"),
        "{}",
        unsure.stderr
    );
    let mut command = bench.command(&["prove", "--mta", "exim"]);
    let without = ended(command.env("PATH", "/nowhere")).expect(69);
    assert!(without.stderr.contains("is Exim installed"), "{}", without.stderr);
    let other = bench.run(&["prove", "--mta", "exim", "--config-dir", "/etc/postfix"]).expect(64);
    assert!(other.stderr.contains("--config-dir is for Postfix"), "{}", other.stderr);
    bench.write("connectord.toml", "version = 1\n");
    let none = bench.run(&["prove"]).expect(64);
    assert!(none.stderr.contains("there is no outbound connector to try"), "{}", none.stderr);
}
