//! The files behind a reload: lists and certificates that change, and files that cannot be read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::client::{BANK, CONFIGURATION, connect, tls};
use super::daemon::{Daemon, Setup};

fn told(daemon: &Daemon, key: &str) -> String {
    tls(&mut connect(&daemon.path("run/socketmap.sock")), key).unwrap()
}

/// A reload that fails with these words somewhere, and changes nothing.
fn assert_refused(daemon: &Daemon, words: &str) {
    let generation = daemon.status()["generation"].clone();
    let outcome = daemon.reload();
    assert!(outcome["ok"] == false && outcome["generation"] == generation, "{outcome}");
    assert!(outcome["problems"].to_string().contains(words), "{words}: {outcome}");
    assert_eq!(told(daemon, "bank.example"), BANK, "{words}");
    let status = daemon.status();
    assert!(
        status["degraded"] == true && status["last_reload"]["problems"].to_string().contains(words),
        "{status}"
    );
}

#[test]
fn r3_a_file_that_cannot_be_read_changes_nothing() {
    let root = nix::unistd::geteuid().is_root();
    let rights = "set -- setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\";";
    let setup = Setup::new(CONFIGURATION).shell(if root { rights } else { "" });
    fs::set_permissions(setup.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(setup.path("run")).unwrap();
    if root {
        nix::unistd::chown(&setup.path("run"), Some(65534.into()), Some(65534.into())).unwrap();
        fs::set_permissions(setup.path("notify.sock"), fs::Permissions::from_mode(0o666)).unwrap();
    }
    let daemon = setup.start();
    let file = daemon.path("connectord.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    assert_refused(&daemon, "permission denied");
    // A limit of ours: 16 MiB.
    let long = format!("{CONFIGURATION}#{}", "x".repeat(16 << 20));
    daemon.configure(&long);
    assert_refused(&daemon, "the file has more than 16 MiB");
    fs::remove_file(&file).unwrap();
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU | nix::sys::stat::Mode::S_IROTH).unwrap();
    assert_refused(&daemon, "this is a FIFO");
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("nowhere", &file).unwrap();
    assert_refused(&daemon, "no such file");
    fs::remove_file(&file).unwrap();
    daemon.configure(CONFIGURATION);
    assert_eq!(daemon.reload()["ok"], true);
}

#[test]
fn r8_lists_and_certificates_are_read_anew_and_a_bad_one_changes_nothing() {
    let certificate =
        |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap().cert.pem();
    let setup = Setup::new(&format!(
        "{CONFIGURATION}\
         [[outbound]]\nname = \"list\"\nmode = \"enforce\"\ndomains_file = \"list\"\ntls = \"encrypt\"\n\
         [[outbound]]\nname = \"pinned\"\nmode = \"enforce\"\ndomains = [\"pinned.example\"]\ntls = \"fingerprint\"\n\
         certificates = [\"pinned.pem\"]\n"
    ));
    put(&setup.path("list"), "a.example\n");
    put(&setup.path("pinned.pem"), &certificate("pinned.example"));
    let daemon = setup.start();
    let pinned = told(&daemon, "pinned.example");
    assert_eq!(told(&daemon, "b.example"), "NOTFOUND ");

    put(&daemon.path("list"), "a.example\nb.example\n");
    put(&daemon.path("pinned.pem"), &certificate("pinned.example"));
    assert_eq!(daemon.reload()["ok"], true);
    assert_eq!(told(&daemon, "b.example"), "OK encrypt");
    let renewed = told(&daemon, "pinned.example");
    assert!(renewed.starts_with("OK fingerprint match=") && renewed != pinned, "{renewed}");

    for (name, text, words) in [
        ("list", "a.example\nb example\n", "list"),
        ("list", "", "list"),
        ("pinned.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n", "pinned.pem"),
        ("pinned.pem", "", "pinned.pem"),
    ] {
        let good = fs::read_to_string(daemon.path(name)).unwrap();
        put(&daemon.path(name), text);
        assert_refused(&daemon, words);
        assert_eq!(told(&daemon, "b.example"), "OK encrypt", "{name}");
        assert_eq!(told(&daemon, "pinned.example"), renewed, "{name}");
        put(&daemon.path(name), &good);
    }
    // A list that lost a name takes a demand away, and says so.
    put(&daemon.path("list"), "a.example\n");
    let outcome = daemon.reload();
    assert!(outcome["ok"] == true && outcome["changes"][0]["connector"] == "list", "{outcome}");
    daemon.log.wait_for("warn reload_change connector=list");
}

/// Writes a file that a reload does not take for one that is still being written.
fn put(path: &std::path::Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
}
