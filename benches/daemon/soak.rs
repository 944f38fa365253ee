//! Half an hour of everything at once: what grows shows, and so does an answer that is lost or wrong.
//!
//! Five hundred requests a second: socketmap over twenty connections that are kept, policy
//! delegation over ten, Exim's questions on a connection each, five connections that come for a
//! second and go, and now and then a request that is none. Every ten seconds the daemon reloads,
//! and two configurations take turns. They agree about every second connector, whose answers are
//! right to the byte; those of the others must be of one of the two, and of the new one as soon as
//! `connectord reload` has returned. Memory, descriptors, threads and CPU time are sampled before
//! each reload, and compared as [`flatness`](super::flatness) says.
//!
//! Every answer has its line in the log, 200 MB of them in half an hour; at warn and above nothing
//! else is there than what the invalid requests and the weaker one of the configurations cause.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use super::baseline::Kind;
use super::client::{self, Outcome, Pace};
use super::figures::print_table;
use super::flatness::{Sample, Samples};
use super::journal::Journal;
use super::partners::{Book, domain};
use super::questions::{Keys, Questions};
use super::server::Server;

/// Between two samples, and between two reloads.
const PERIOD: Duration = Duration::from_secs(10);

/// How long the connections stay that come and go.
const VISIT: Duration = Duration::from_secs(1);

/// At most as many changes as a reload logs one by one.
const BOOK: Book = Book { domains: 100_000, connectors: 80, inbound: true };

/// What is said of the invalid requests, and of the reloads that weaken something.
const PROVOKED: &[&str] = &["request_malformed", "lookup_refused", "suppressed", "reload_change"];

/// Clients that ask the same kind of questions.
struct Group {
    name: &'static str,
    kind: Kind,
    questions: Questions,
    connections: usize,
    /// Requests per second of all its connections.
    rate: f64,
    /// Whether its connections stay for a [`VISIT`] only, and come again.
    visits: bool,
    /// Whether its replies are decisions: each has a line in the log.
    decided: bool,
}

impl Group {
    fn new(name: &'static str, kind: Kind, connections: usize, rate: f64, questions: Questions) -> Group {
        Group { name, kind, questions, connections, rate, visits: false, decided: true }
    }

    fn all() -> Vec<Group> {
        let socketmap = |keys| Questions::socketmap(&BOOK, keys).or(other_reply);
        let invalid =
            |name, kind, questions| Group { decided: false, ..Group::new(name, kind, 1, 1.0, questions) };
        vec![
            Group::new("socketmap, kept", Kind::Socketmap, 20, 300.0, socketmap(Keys::Zipf)),
            Group::new("policy, kept", Kind::Policy, 10, 120.0, Questions::policy(&BOOK).or(other_reply)),
            Group::new("Exim", Kind::Line, 8, 45.0, Questions::exim(&BOOK, Keys::Zipf)),
            Group {
                visits: true,
                ..Group::new("socketmap, come and go", Kind::Socketmap, 5, 30.0, socketmap(Keys::Uniform))
            },
            Group::new("keys that are none", Kind::Socketmap, 1, 2.0, refused()),
            invalid("no netstrings", Kind::Socketmap, no_netstrings()),
            invalid("no policy requests", Kind::Policy, no_policy_requests()),
            invalid("no lines for Exim", Kind::Line, no_lines()),
        ]
    }

    /// Asks for so long; an outcome for each time that the connections came.
    fn ask(&self, server: &Server, time: Duration) -> Vec<Outcome> {
        let path = server.socket(self.kind);
        let begin = Instant::now();
        let ask = |first, time| {
            client::ask(&path, &self.questions, self.connections, first, Pace::PerSecond(self.rate), time)
        };
        if !self.visits {
            return vec![ask(0, time)];
        }
        let mut outcomes = Vec::new();
        while begin.elapsed() + VISIT <= time {
            // One that comes and says nothing.
            drop(UnixStream::connect(&path).unwrap());
            let asked = outcomes.iter().map(Outcome::requests).sum();
            outcomes.push(ask(asked, VISIT));
        }
        outcomes
    }
}

fn refused() -> Questions {
    Questions::given(
        &[
            (b"17:other example.com,", b"60:PERM unknown map; this server has the maps tls and transport,"),
            (b"3:tls,", b"18:PERM empty request,"),
            (b"6:tls \xff\xfe,", b"21:PERM key is not UTF-8,"),
        ],
        false,
    )
}

fn no_netstrings() -> Questions {
    Questions::given(&[(b"GET / HTTP/1.0\r\n\r\n", b""), (b"5:tls a;", b""), (b"99999:tls a,", b"")], true)
}

fn no_policy_requests() -> Questions {
    Questions::given(
        &[
            (b"request=smtpd_access_policy\r\n\r\n", b""),
            (b"request=smtpd_access_policy\nsender=a@a.example\nsender=b@b.example\n\n", b""),
            (b"\n", b""),
        ],
        true,
    )
}

fn no_lines() -> Questions {
    let refusal = b"status=temp action=defer end=ok\n".as_slice();
    Questions::given(&[(b"what domain=a.example\n", refusal), (b"out domain\n", refusal)], true)
}

/// What the second configuration answers where the first one answers this, if it is something else.
fn other_reply(reply: &str) -> Option<String> {
    let (_, rest) = reply.split_once("partner")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    if !changes(rest[..digits].parse().unwrap()) {
        return None;
    }
    Some(
        reply
            .replace("match=partner", "match=changed")
            .replace(":.partner", ":.changed")
            .replace("action=530 5.7.0", "action=450 4.7.0"),
    )
}

/// Whether the two configurations differ in a connector.
fn changes(connector: usize) -> bool {
    connector % 2 == 1
}

/// The two configurations.
struct Pair {
    main: PathBuf,
    texts: [String; 2],
}

impl Pair {
    /// Writes both; the first is in place.
    fn write(directory: &Path) -> Pair {
        let main = BOOK.write(directory, "all");
        let first = fs::read_to_string(&main).unwrap();
        let mut second = String::new();
        let mut changing = false;
        for line in first.lines() {
            if let Some(name) = line.strip_prefix("name = \"partner") {
                let digits = name.find(|c: char| !c.is_ascii_digit()).unwrap();
                changing = changes(name[..digits].parse().unwrap());
            }
            second += &match (changing, line) {
                (true, r#"on_violation = "reject""#) => r#"on_violation = "defer""#.to_owned(),
                (true, line) if line.starts_with("match = ") => line.replace("*.partner", "*.changed"),
                _ => line.to_owned(),
            };
            second.push('\n');
        }
        assert_ne!(first, second);
        Pair { main, texts: [first, second] }
    }

    /// Puts one in place, as whole as an administrator should.
    fn place(&self, number: usize) {
        let fresh = self.main.with_extension("new");
        fs::write(&fresh, &self.texts[number]).unwrap();
        fs::rename(&fresh, &self.main).unwrap();
    }
}

/// What must be answered at once when one of the configurations is served.
fn check(server: &Server, configuration: usize) {
    let mut stream = UnixStream::connect(server.socket(Kind::Socketmap)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    for number in [0, 1] {
        let query = format!("tls {}", domain(number));
        let first = format!("OK {}", BOOK.policy(number));
        let reply = other_reply(&first).filter(|_| configuration == 1).unwrap_or(first);
        stream.write_all(format!("{}:{query},", query.len()).as_bytes()).unwrap();
        let expected = format!("{}:{reply},", reply.len());
        let mut got = vec![0; expected.len()];
        stream.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8_lossy(&got), expected, "after the reload");
    }
}

/// Runs it for so long, and prints it; whether all held.
pub fn holds(time: Duration) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let pair = Pair::write(directory);
    let server = Server::connectord_unpinned(&pair.main, directory);
    for kind in [Kind::Socketmap, Kind::Policy, Kind::Line] {
        drop(server.wait(kind));
    }
    let groups = Group::all();
    let rate: f64 = groups.iter().map(|group| group.rate).sum();
    println!("{rate} requests per second for {time:?}, a reload every {PERIOD:?}\n");

    let mut run = Run {
        journal: Journal::open(&directory.join("log"), PROVOKED),
        samples: Samples::default(),
        reloads: 0,
        failures: Vec::new(),
    };
    let mut asked = Vec::new();
    thread::scope(|scope| {
        let begin = Instant::now();
        let clients: Vec<_> = groups.iter().map(|group| scope.spawn(|| group.ask(&server, time))).collect();
        for period in 0.. {
            let (due, last) = (PERIOD * period, PERIOD * (period + 1) > time);
            thread::sleep(due.saturating_sub(begin.elapsed()));
            if catch_unwind(AssertUnwindSafe(|| run.period(&server, &pair, due, last))).is_err() {
                run.failures.push("a sample, a reload, or what was answered behind it".to_owned());
            }
            // One that ends early has seen something wrong.
            let ended = groups.iter().zip(&clients).filter(|(_, client)| !last && client.is_finished());
            run.failures.extend(ended.map(|(group, _)| group.name.to_owned()));
            if last || !run.failures.is_empty() {
                break;
            }
        }
        let stopped = !run.failures.is_empty();
        if stopped {
            // What the others say now is no news.
            std::panic::set_hook(Box::new(|_| {}));
            kill(server.pid(), Signal::SIGTERM).unwrap();
        }
        for (group, client) in groups.iter().zip(clients) {
            match client.join() {
                Ok(outcomes) => asked.push((group, outcomes)),
                Err(_) if stopped => {}
                Err(_) => run.failures.push(group.name.to_owned()),
            }
        }
    });
    drop(server);
    run.journal.follow();
    run.judge(&asked)
}

/// What was seen so far.
struct Run {
    journal: Journal,
    samples: Samples,
    reloads: u32,
    failures: Vec<String>,
}

impl Run {
    /// Between two periods: a sample, and unless it is the last one a reload.
    fn period(&mut self, server: &Server, pair: &Pair, at: Duration, last: bool) {
        self.journal.follow();
        self.samples.add(Sample::of(server, at, self.journal.answers));
        if !last {
            self.reloads += 1;
            let configuration = self.reloads as usize % 2;
            pair.place(configuration);
            server.reload(&pair.main);
            check(server, configuration);
        }
    }

    /// Prints everything; whether all held.
    fn judge(mut self, asked: &[(&Group, Vec<Outcome>)]) -> bool {
        self.samples.print();
        if !self.failures.is_empty() {
            println!("NOT GOOD, ended early; what was wrong is said above, by: {}", self.failures.join("; "));
            return false;
        }
        print_times(asked);
        self.failures.extend(self.samples.growth());
        self.judge_log(asked);
        for failure in &self.failures {
            println!("NOT GOOD: {failure}");
        }
        if self.failures.is_empty() {
            println!("All good: every reply right, nothing grown, nothing in the log that was not provoked.");
        }
        self.failures.is_empty()
    }

    fn judge_log(&mut self, asked: &[(&Group, Vec<Outcome>)]) {
        let Journal { answers, reloads, provoked, trouble: (count, lines), .. } = &self.journal;
        println!("Reloads: {}. At warn, provoked: {provoked:?}.\n", self.reloads);
        let decided = asked.iter().filter(|(group, _)| group.decided).flat_map(|(_, outcomes)| outcomes);
        let told =
            decided.map(|outcome| outcome.requests() as u64).sum::<u64>() + u64::from(2 * self.reloads);
        if *count > 0 {
            let lines = lines.join("\n  ");
            self.failures.push(format!("{count} lines at warn or above that nobody provoked:\n  {lines}"));
        }
        if *reloads != u64::from(self.reloads) {
            self.failures.push(format!("{} reloads, and {reloads} in the log", self.reloads));
        }
        if *answers != told {
            self.failures.push(format!("{told} answers, and {answers} in the log"));
        }
    }
}

fn print_times(asked: &[(&Group, Vec<Outcome>)]) {
    let head = ["clients", "connections", "replies, all right", "p50, us", "p99, us", "longest, us"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (group, outcomes) in asked {
        let mut nanoseconds: Vec<u64> =
            outcomes.iter().flat_map(|outcome| &outcome.nanoseconds).copied().collect();
        nanoseconds.sort_unstable();
        let whole = Outcome { nanoseconds };
        let mut row =
            vec![group.name.to_owned(), group.connections.to_string(), whole.requests().to_string()];
        row.extend([0.5, 0.99, 1.0].map(|share| format!("{:.0}", whole.percentile(share))));
        rows.push(row);
    }
    print_table(&rows);
}
