//! Sockets inherited from systemd.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use super::client::{BANK, CONFIGURATION, action, connect, from_bank, lookup, reply, tls};
use super::daemon::Setup;
use super::prometheus_reader::read;
use super::scraper::{SCRAPE, all, body};

/// The sockets of the unit for Postfix.
const SOCKETS: &str = r#"
[[listen]]
protocol = "socketmap"
path = "socketmap.sock"
[[listen]]
protocol = "policy"
path = "policy.sock"
"#;

fn configuration() -> String {
    format!("{CONFIGURATION}{SOCKETS}")
}

/// The command of a setup with two sockets as descriptors 3 and 4. They travel as standard input
/// and output, because nothing else is inherited without unsafe code.
fn with_sockets(setup: Setup, first: &impl AsFd, second: &impl AsFd) -> (Setup, Command) {
    let setup = setup.shell(
        "exec 3<&0 4<&1 </dev/null >/dev/null; LISTEN_FDS=2; LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID;",
    );
    let fd = |listener: BorrowedFd<'_>| Stdio::from(listener.try_clone_to_owned().unwrap());
    let mut command = setup.command();
    command.stdin(fd(first.as_fd())).stdout(fd(second.as_fd()));
    (setup, command)
}

#[test]
fn sockets_are_taken_over_and_left_behind() {
    let setup = Setup::new(&configuration());
    fs::create_dir(setup.path("run")).unwrap();
    let policy = UnixListener::bind(setup.path("run/policy.sock")).unwrap();
    let socketmap = UnixListener::bind(setup.path("run/socketmap.sock")).unwrap();
    // Asked before anybody is there to answer.
    let mut early = connect(&setup.path("run/socketmap.sock"));
    early.write_all(&lookup("tls", "bank.example")).unwrap();
    let (setup, command) = with_sockets(setup, &policy, &socketmap);
    let mut daemon = setup.start_as(command);
    assert_eq!(reply(&mut early).as_deref(), Some(BANK));
    assert_eq!(tls(&mut connect(&daemon.path("run/socketmap.sock")), "bank.example").as_deref(), Some(BANK));
    daemon.log.wait_for("socketmap.sock inherited=true");
    daemon.log.wait_for("control.sock inherited=false");
    assert_eq!(daemon.stop(), Some(0));
    assert!(daemon.path("run/socketmap.sock").exists() && daemon.path("run/policy.sock").exists());
    assert!(!daemon.path("run/control.sock").exists());
    // What comes between two daemons waits for the next.
    let mut between = connect(&daemon.path("run/socketmap.sock"));
    between.write_all(&lookup("tls", "bank.example")).unwrap();
    socketmap.set_nonblocking(true).unwrap();
    assert!(socketmap.accept().is_ok());
}

#[test]
fn one_without_the_other_is_refused() {
    let setup = Setup::new(&configuration());
    fs::create_dir(setup.path("run")).unwrap();
    let policy = UnixListener::bind(setup.path("run/policy.sock")).unwrap();
    let other = UnixListener::bind(setup.path("run/other.sock")).unwrap();
    let (_setup, mut command) = with_sockets(setup, &policy, &other);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("socketmap.sock: systemd passed sockets, but none for this [[listen]]"), "{said}");
}

/// One host has Postfix and another one Exim, and a package has one configuration for both.
#[test]
fn without_a_listen_the_units_say_which_sockets_there_are() {
    let setup = Setup::new(CONFIGURATION);
    fs::create_dir(setup.path("queue")).unwrap();
    let policy = UnixListener::bind(setup.path("queue/policy.sock")).unwrap();
    let socketmap = UnixListener::bind(setup.path("queue/socketmap.sock")).unwrap();
    let (setup, command) = with_sockets(setup, &policy, &socketmap);
    let mut daemon = setup.start_as(command);
    assert_eq!(
        tls(&mut connect(&daemon.path("queue/socketmap.sock")), "bank.example").as_deref(),
        Some(BANK)
    );
    daemon.log.wait_for("queue/policy.sock inherited=true");
    assert!(!daemon.path("run/socketmap.sock").exists() && !daemon.path("run/exim.sock").exists());
    assert!(daemon.path("run/control.sock").exists());
    assert_eq!(daemon.stop(), Some(0));
}

/// The MTA was installed after its socket unit was skipped.
#[test]
fn connectors_in_force_that_nobody_can_ask_about_are_told() {
    let setup = Setup::new(CONFIGURATION);
    let sockets = ["one", "two"].map(|name| {
        fs::create_dir(setup.path(name)).unwrap();
        UnixListener::bind(setup.path(name).join("policy.sock")).unwrap()
    });
    let (setup, command) = with_sockets(setup, &sockets[0], &sockets[1]);
    let mut daemon = setup.start_as(command);
    daemon.log.wait_for("no_socket direction=outbound");
    assert_eq!(daemon.stop(), Some(0));
}

/// The unit in contrib/monitoring: the daemon may open no such socket itself, and a line in the configuration is not
/// needed.
#[test]
fn a_port_that_is_passed_is_for_metrics() {
    let written = "[[listen]]\nprotocol = \"policy\"\npath = \"policy.sock\"\n";
    for configuration in [CONFIGURATION.to_owned(), format!("{CONFIGURATION}{written}")] {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let setup = Setup::new(&configuration);
            fs::create_dir(setup.path("run")).unwrap();
            let policy = UnixListener::bind(setup.path("run/policy.sock")).unwrap();
            let port = match TcpListener::bind(address) {
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable && address.starts_with('[') => {
                    continue;
                }
                port => port.unwrap(),
            };
            let (setup, command) = with_sockets(setup, &policy, &port);
            let mut daemon = setup.start_as(command);
            let mut stream = TcpStream::connect(port.local_addr().unwrap()).unwrap();
            stream.write_all(SCRAPE.as_bytes()).unwrap();
            let page = read(body(&all(&mut stream)));
            assert_eq!(page.number("connectord_generation", &[]), 1.0);
            daemon.log.wait_for(&format!("path={} inherited=true", port.local_addr().unwrap()));
            assert_eq!(daemon.stop(), Some(0));
        }
    }
}

#[test]
fn a_port_that_others_reach_is_not_served_and_mail_does_not_wait_for_that() {
    let setup = Setup::new(CONFIGURATION);
    fs::create_dir(setup.path("run")).unwrap();
    let policy = UnixListener::bind(setup.path("run/policy.sock")).unwrap();
    let port = TcpListener::bind("0.0.0.0:0").unwrap();
    let (setup, command) = with_sockets(setup, &policy, &port);
    let mut daemon = setup.start_as(command);
    daemon.log.wait_for("error metrics_not_served");
    let mut mail = connect(&daemon.path("run/policy.sock"));
    mail.write_all(&from_bank("TLSv1.3")).unwrap();
    assert_eq!(action(&mut mail).as_deref(), Some("DUNNO"));
    assert_eq!(daemon.stop(), Some(0));
}
