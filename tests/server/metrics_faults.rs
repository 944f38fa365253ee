//! Whoever collects metrics and means harm, or hangs: no answer waits for them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::client::{BANK, CONFIGURATION, action, closes, connect, from_bank, tls};
use super::daemon::{Daemon, PATIENCE, Setup};
use super::metrics::{LISTEN, setup};
use super::scraper::{SCRAPE, SOCKET, all, scrape};

/// An honest MTA, on connections that it keeps: every question is answered, and rightly.
fn honest(daemon: &Daemon, questions: usize) {
    let mut map = connect(&daemon.path("run/socketmap.sock"));
    let mut mail = connect(&daemon.path("run/policy.sock"));
    for _ in 0..questions {
        assert_eq!(tls(&mut map, "bank.example").as_deref(), Some(BANK));
        mail.write_all(&from_bank("TLSv1.3")).unwrap();
        assert_eq!(action(&mut mail).as_deref(), Some("DUNNO"));
    }
}

#[test]
fn l2_heads_that_do_not_end_are_cut_and_others_are_served() {
    let daemon = setup().limits("request=1000").start();
    let mut slow: Vec<UnixStream> = (0..8).map(|_| connect(&daemon.path(SOCKET))).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n").unwrap();
    }
    // All seats are taken: whoever comes with a whole request gets one of them.
    scrape(&daemon);
    honest(&daemon, 100);
    for stream in &mut slow {
        assert!(closes(stream), "without a byte");
    }
    let page = scrape(&daemon);
    let ended = |reason| {
        page.number("connectord_connections_closed_total", &[("protocol", "metrics"), ("reason", reason)])
    };
    // As many as had to make room, and the rest in its time: which of the two is a matter of how busy this host is.
    assert_eq!(ended("unfinished") + ended("made_room"), 8.0, "{page:#?}");
}

#[test]
fn l1_hundreds_that_come_at_once_take_nothing_from_mail() {
    let daemon = setup().start();
    let stop = Arc::new(AtomicBool::new(false));
    let crowd: Vec<_> = (0..4)
        .map(|number| {
            let (path, stop) = (daemon.path(SOCKET), Arc::clone(&stop));
            thread::spawn(move || {
                let mut served = 0;
                while served < 100 || !stop.load(Ordering::Relaxed) {
                    let mut several: Vec<UnixStream> = (0..10).map(|_| connect(&path)).collect();
                    for (at, stream) in several.iter_mut().enumerate() {
                        // Some go without waiting for what they asked for, some ask nothing.
                        if at % 3 != number % 3 {
                            let _ = stream.write_all(SCRAPE.as_bytes());
                        }
                    }
                    served += several.len();
                    let mut last = several.pop().unwrap();
                    drop(several);
                    if number % 2 == 0 {
                        let _ = last.shutdown(std::net::Shutdown::Write);
                        let _ = last.read(&mut [0; 100]);
                    }
                }
                served
            })
        })
        .collect();
    honest(&daemon, 500);
    stop.store(true, Ordering::Relaxed);
    let came: usize = crowd.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(came >= 400);
    let page = scrape(&daemon);
    assert_eq!(page.number("connectord_panics_total", &[]), 0.0);
    assert_eq!(page.number("connectord_requests_total", &[("protocol", "policy")]), 500.0);
    assert!(page.number("connectord_connections_total", &[("protocol", "metrics")]) >= 400.0);
    // The seats of MTAs are their own.
    let made_room = [("protocol", "socketmap"), ("reason", "made_room")];
    assert_eq!(page.number("connectord_connections_closed_total", &made_room), 0.0);
}

/// Thousands of connectors, so that a page is larger than what the system keeps for a peer that does not read.
fn large() -> String {
    let mut text = format!("{CONFIGURATION}{LISTEN}");
    for number in 0..3_000 {
        text += &format!(
            "[[outbound]]\nname = \"partner-{number}\"\nmode = \"enforce\"\ndomains = [\"p{number}.example\"]\ntls = \"encrypt\"\n"
        );
    }
    text
}

#[test]
fn l4_who_does_not_take_the_page_is_cut_and_others_get_it() {
    let daemon = Setup::new(&large()).limits("write=3000").start();
    let mut unread = connect(&daemon.path(SOCKET));
    unread.write_all(SCRAPE.as_bytes()).unwrap();
    honest(&daemon, 200);
    let page = scrape(&daemon);
    assert_eq!(page.values("connectord_connector_info", "connector").len(), 3_004);
    let cut = [("protocol", "metrics"), ("reason", "unread")];
    let begin = Instant::now();
    while scrape(&daemon).number("connectord_connections_closed_total", &cut) < 1.0 {
        assert!(begin.elapsed() < PATIENCE, "never cut");
        honest(&daemon, 1);
    }
    assert!(!all(&mut unread).ends_with("# EOF\n"), "cut short");
}

/// So many who ask for metrics over the control socket, while results cannot be read, that they have all its seats.
#[test]
fn f14_metrics_over_the_control_socket_give_their_seats_back() {
    let daemon = setup().limits("metrics=500").start();
    fs::write(daemon.path("slow"), "").unwrap();
    let mut waiting: Vec<UnixStream> = (0..8).map(|_| connect(&daemon.path("run/control.sock"))).collect();
    for stream in &mut waiting {
        stream.write_all(b"metrics\n").unwrap();
    }
    assert_eq!(daemon.reload()["ok"], true);
    assert_eq!(daemon.status()["generation"], 2);
    for stream in &mut waiting {
        assert_eq!(all(stream), "", "no answer");
    }
    daemon.log.wait_for("metrics_late");
    fs::remove_file(daemon.path("slow")).unwrap();
    scrape(&daemon);
}

/// The directory of the results is on a disk that hangs.
#[test]
fn f14_results_that_cannot_be_read_hold_up_metrics_alone() {
    let mut daemon = setup().limits("drain=200 newcomers=100").start();
    fs::write(daemon.path("slow"), "").unwrap();
    let mut waiting: Vec<UnixStream> = (0..20).map(|_| connect(&daemon.path(SOCKET))).collect();
    for stream in &mut waiting {
        stream.write_all(SCRAPE.as_bytes()).unwrap();
    }
    honest(&daemon, 200);
    assert_eq!(daemon.reload()["ok"], true);
    assert_eq!(daemon.status()["generation"], 2);
    // It is over, and everybody gets what they waited for; those who had no seat too.
    fs::remove_file(daemon.path("slow")).unwrap();
    for stream in &mut waiting {
        assert!(all(stream).ends_with("# EOF\n"));
    }
    // It begins anew, with a configuration whose results are not known yet, and nobody waits for it at the end.
    fs::write(daemon.path("slow"), "").unwrap();
    daemon.configure(&format!("{CONFIGURATION}{LISTEN}# another one\n"));
    assert_eq!(daemon.reload()["ok"], true);
    let mut last = connect(&daemon.path(SOCKET));
    last.write_all(SCRAPE.as_bytes()).unwrap();
    honest(&daemon, 10);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(all(&mut last), "");
}
