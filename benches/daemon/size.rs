//! Time to start and to reload, and memory, by the number of domains.
//!
//! Here the daemon has all CPUs, as a service has them, and its log goes where journald's would.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Effort;
use super::baseline::Kind;
use super::client::{self, Pace};
use super::figures::{median, print_table, range};
use super::partners::{Book, domain};
use super::questions::{Keys, Questions, framed};
use super::server::Server;

/// Reloads after which memory is looked at again.
const RELOADS: usize = 50;

/// Connections that ask nothing.
const IDLE: usize = 1_000;

/// A configuration and one question with its answer.
struct Case {
    name: &'static str,
    main: PathBuf,
    question: (String, String),
}

/// Measures and prints all of it.
pub fn measure(effort: &Effort) {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let example = Case {
        name: "contrib/examples/small.toml",
        main: Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/examples/small.toml"),
        question: ("contoso.com".to_owned(), "OK secure match=contoso.com:.contoso.com".to_owned()),
    };
    let of_book = |name, book: Book| Case {
        name,
        main: book.write(&directory.join(name), "connector"),
        question: (domain(3), format!("OK {}", book.policy(3))),
    };
    let cases = [
        example,
        of_book("10 000 domains, a list each", Book::small(10_000)),
        of_book("1 000 000 in one list", Book { domains: 1_000_000, connectors: 1, inbound: false }),
        of_book("1 000 000 in 10 000 lists", Book::small(1_000_000)),
    ];
    println!("Start and memory (median, and range, of {} starts; memory in MB)\n", effort.rounds);
    let mut rows = vec![
        ["", "first right reply, ms", "resident", "largest", "after 50 reloads", "a reload, ms"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for case in cases.iter().filter(|case| case.name.contains(&effort.only)) {
        rows.push(start_and_memory(case, &directory.join("run"), effort));
    }
    print_table(&rows);
    if !effort.only.is_empty() {
        return;
    }
    let large = Book { domains: 1_000_000, connectors: 10_000, inbound: false };
    under_load(&large, &cases[3], &directory.join("run"), effort);
    idle(&cases[0], &directory.join("run"));
}

fn start_and_memory(case: &Case, run: &Path, effort: &Effort) -> Vec<String> {
    let mut starts = Vec::new();
    for _ in 0..effort.rounds {
        // As after a boot of the service: what is kept of the last run is there.
        drop(fs::remove_file(run.join("log")));
        let begin = Instant::now();
        let server = Server::connectord_unpinned(&case.main, run);
        ask(&mut server.wait(Kind::Socketmap), &case.question);
        starts.push(begin.elapsed().as_secs_f64() * 1_000.0);
    }
    let server = Server::connectord_unpinned(&case.main, run);
    ask(&mut server.wait(Kind::Socketmap), &case.question);
    settle(&server);
    let (resident, largest) = (server.memory("VmRSS"), server.memory("VmHWM"));
    let reloads: Vec<f64> = (0..RELOADS).map(|_| server.reload(&case.main).as_secs_f64() * 1_000.0).collect();
    settle(&server);
    let (low, high) = range(&starts);
    vec![
        case.name.to_owned(),
        format!("{:.0} ({low:.0}-{high:.0})", median(&starts)),
        format!("{resident:.1}"),
        format!("{largest:.1}"),
        format!("{:.1}", server.memory("VmRSS")),
        format!("{:.0}", median(&reloads)),
    ]
}

/// Waits until the daemon has done what it does after a start: it keeps its configuration.
fn settle(server: &Server) {
    let mut before = server.cpu();
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = server.cpu();
        if now - before < 0.001 {
            return;
        }
        before = now;
    }
}

fn ask(stream: &mut UnixStream, (key, reply): &(String, String)) {
    stream.write_all(&framed(&format!("tls {key}"))).unwrap();
    let expected = framed(reply);
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&expected));
}

/// Requests at a fifth of what there could be, while it reloads again and again.
fn under_load(book: &Book, case: &Case, run: &Path, effort: &Effort) {
    let server = Server::connectord_unpinned(&case.main, run);
    drop(server.wait(Kind::Socketmap));
    settle(&server);
    let questions = Questions::socketmap(book, Keys::Zipf);
    let path = server.socket(Kind::Socketmap);
    let most = client::ask(&path, &questions, 50, 0, Pace::AtOnce, effort.time);
    let rate = most.requests() as f64 / effort.time.as_secs_f64() / 5.0;
    let time = Duration::from_secs(20);
    let quiet = client::ask(&path, &questions, 50, 0, Pace::PerSecond(rate), time);
    let stop = AtomicBool::new(false);
    let (reloads, loaded) = std::thread::scope(|scope| {
        let reloading = scope.spawn(|| {
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                server.reload(&case.main);
                count += 1;
            }
            count
        });
        let outcome = client::ask(&path, &questions, 50, 0, Pace::PerSecond(rate), time);
        stop.store(true, Ordering::Relaxed);
        (reloading.join().unwrap(), outcome)
    });
    println!(
        "Reload under load, {} domains: {rate:.0} requests a second over 50 connections for {time:?}, {reloads} reloads\n",
        book.domains
    );
    let row = |name: &str, outcome: &client::Outcome| {
        let times = [0.5, 0.99, 0.999].map(|share| format!("{:.0}", outcome.percentile(share)));
        [name.to_owned(), outcome.requests().to_string()].into_iter().chain(times).collect::<Vec<_>>()
    };
    let head = ["", "right replies", "p50, us", "p99, us", "p99.9, us"].map(str::to_owned).to_vec();
    print_table(&[head, row("without reloads", &quiet), row("reloading", &loaded)]);
}

/// What connections cost that ask nothing.
fn idle(case: &Case, run: &Path) {
    let server = Server::connectord_unpinned(&case.main, run);
    ask(&mut server.wait(Kind::Socketmap), &case.question);
    settle(&server);
    let before = server.memory("VmRSS");
    let mut connections: Vec<UnixStream> = Vec::new();
    for _ in 0..IDLE {
        let mut stream = UnixStream::connect(server.socket(Kind::Socketmap)).unwrap();
        ask(&mut stream, &case.question);
        connections.push(stream);
    }
    let (after, cpu) = (server.memory("VmRSS"), server.cpu());
    let time = Duration::from_secs(5);
    std::thread::sleep(time);
    let spent = server.cpu() - cpu;
    // All of them are still there.
    for stream in &mut connections {
        ask(stream, &case.question);
    }
    println!(
        "{IDLE} idle connections: {:.1} kB each, {:.2} % of a CPU together\n",
        (after - before) * 1_000.0 / IDLE as f64,
        100.0 * spent / time.as_secs_f64()
    );
}
