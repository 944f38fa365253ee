//! Requests per second of the server's CPU time, beside the baseline's.

use std::path::Path;

use super::Effort;
use super::baseline::Kind;
use super::client::{self, Pace};
use super::figures::{median, print_table, range};
use super::partners::Book;
use super::questions::{Keys, Questions};
use super::server::Server;

/// A server and what it is asked.
struct Runner<'a> {
    name: &'static str,
    server: &'a Server,
    questions: &'a Questions,
    logs: bool,
    results: Vec<Vec<Result>>,
}

/// One run.
struct Result {
    /// Requests for each second of the server's CPU time.
    rate: f64,
    /// Percentiles of the time to a reply in microseconds: p50, p99, p99.9.
    times: [f64; 3],
    lost: u64,
}

impl<'a> Runner<'a> {
    fn new(name: &'static str, server: &'a Server, questions: &'a Questions) -> Runner<'a> {
        Runner { name, server, questions, logs: false, results: Vec::new() }
    }

    fn logging(mut self) -> Runner<'a> {
        self.logs = true;
        self
    }

    fn run(&self, kind: Kind, connections: usize, first: usize, effort: &Effort) -> Result {
        let before = self.server.cpu();
        let path = self.server.socket(kind);
        let outcome = client::ask(&path, self.questions, connections, first, Pace::AtOnce, effort.time);
        let spent = self.server.cpu() - before;
        let lost = if self.logs { self.server.lost_lines() } else { 0 };
        Result {
            rate: outcome.requests() as f64 / spent,
            times: [0.5, 0.99, 0.999].map(|share| outcome.percentile(share)),
            lost,
        }
    }
}

/// Measures and prints all of it.
pub fn measure(effort: &Effort) {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let large = Book { domains: 1_000_000, connectors: 10_000, inbound: true };
    println!(
        "Requests per second of the server's CPU time as a ratio to the baseline's (median, and range, of {} rounds of {:?}),\n\
         and p50 / p99 / p99.9 of the time to a reply in microseconds.\n",
        effort.rounds, effort.time
    );
    let (quiet, logging) =
        (start(&large, directory, "large", "none"), start(&large, directory, "logging", "all"));
    socketmap(effort, directory, &large, &quiet, &logging);
    let policy = Questions::policy(&large);
    compare(
        effort,
        directory,
        Kind::Policy,
        "Policy delegation",
        &[
            ("10 000 inbound connectors", &quiet, &policy, false),
            ("10 000, every decision logged", &logging, &policy, true),
        ],
    );
    let exim = Questions::exim(&large, Keys::Zipf);
    compare(
        effort,
        directory,
        Kind::Line,
        "Exim, a connection for each request",
        &[
            ("1 000 000 domains", &quiet, &exim, false),
            ("1 000 000, every decision logged", &logging, &exim, true),
        ],
    );
}

fn start(book: &Book, directory: &Path, name: &str, decisions: &str) -> Server {
    let directory = directory.join(name);
    let main = book.write(&directory, decisions);
    let server = Server::connectord(&main, &directory);
    drop(server.wait(Kind::Line));
    server
}

fn socketmap(effort: &Effort, directory: &Path, large: &Book, quiet: &Server, logging: &Server) {
    let books = [Book::small(10), Book::small(10_000)];
    let [small, middle] = [("small", &books[0]), ("middle", &books[1])]
        .map(|(name, book)| start(book, directory, name, "none"));
    let zipf = |book: &Book| Questions::socketmap(book, Keys::Zipf);
    let (for_small, for_middle, for_large) = (zipf(&books[0]), zipf(&books[1]), zipf(large));
    let uniform = Questions::socketmap(large, Keys::Uniform);
    compare(
        effort,
        directory,
        Kind::Socketmap,
        "Socketmap, map `tls`; keys by Zipf's law, one in five unlisted",
        &[
            ("10 domains", &small, &for_small, false),
            ("10 000", &middle, &for_middle, false),
            ("1 000 000", quiet, &for_large, false),
            ("1 000 000, uniform keys", quiet, &uniform, false),
            ("1 000 000, every decision logged", logging, &for_large, true),
        ],
    );
}

type Entrant<'a> = (&'static str, &'a Server, &'a Questions, bool);

fn compare(effort: &Effort, directory: &Path, kind: Kind, title: &str, entrants: &[Entrant<'_>]) {
    let [one, other] =
        ["baseline", "again"].map(|name| Server::baseline(kind, &directory.join(format!("{name}-{kind:?}"))));
    let constant = entrants[0].2.for_baseline(kind);
    let mut runners =
        vec![Runner::new("baseline", &one, &constant), Runner::new("baseline again", &other, &constant)];
    for (name, server, questions, logs) in entrants.iter().filter(|(name, ..)| name.contains(&effort.only)) {
        let runner = Runner::new(name, server, questions);
        runners.push(if *logs { runner.logging() } else { runner });
    }
    for &connections in &effort.connections {
        for runner in &mut runners {
            runner.results.push(Vec::new());
        }
        // One round unmeasured: caches, and the memory of connections.
        for round in 0..=effort.rounds {
            for runner in &mut runners {
                let result = runner.run(kind, connections, round * 100_003, effort);
                if round > 0 {
                    runner.results.last_mut().unwrap().push(result);
                }
            }
        }
    }
    println!("{title}\n");
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(effort.connections.iter().map(|count| format!("{count} connections")));
    for runner in &runners {
        let mut row = vec![runner.name.to_owned()];
        for (results, baseline) in runner.results.iter().zip(&runners[0].results) {
            row.push(cell(results, baseline));
        }
        rows.push(row);
    }
    print_table(&rows);
}

fn cell(results: &[Result], baseline: &[Result]) -> String {
    let ratios: Vec<f64> = results.iter().zip(baseline).map(|(own, base)| own.rate / base.rate).collect();
    let rates: Vec<f64> = results.iter().map(|result| result.rate).collect();
    let (low, high) = range(&ratios);
    let times = [0, 1, 2]
        .map(|number| median(&results.iter().map(|result| result.times[number]).collect::<Vec<_>>()));
    let lost: u64 = results.iter().map(|result| result.lost).sum();
    let mut text = format!(
        "{:.2} ({low:.2}-{high:.2}), {:.0}k/s, {:.0} / {:.0} / {:.0}",
        median(&ratios),
        median(&rates) / 1_000.0,
        times[0],
        times[1],
        times[2]
    );
    if lost > 0 {
        text += &format!(", {lost} lines lost");
    }
    text
}
