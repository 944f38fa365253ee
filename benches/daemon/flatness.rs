//! What a process takes over time, and whether that grows.
//!
//! The first minute is not counted: caches fill, and connections come. Of the rest the medians of
//! the first and of the last ten minutes are compared, or of its two halves where it is shorter.
//! Memory may differ by [`TOLERANCE`]; descriptors and threads not at all.

use std::fs;
use std::thread;
use std::time::Duration;

use super::figures::{median, print_table};
use super::server::Server;

/// How far memory may be from what it was: what a median of an allocator's pages varies by.
const TOLERANCE: f64 = 0.05;

/// Readings of descriptors and threads for one sample, of which the median counts: connections for
/// one request come and go.
const READINGS: u32 = 15;

/// Between two of them.
const APART: Duration = Duration::from_millis(7);

const WARM_UP: Duration = Duration::from_secs(60);
const WINDOW: Duration = Duration::from_secs(600);

/// What was seen at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Since the start.
    at: Duration,
    memory: f64,
    descriptors: f64,
    threads: f64,
    /// Seconds of CPU time so far.
    cpu: f64,
    /// Answers in the log so far.
    answers: u64,
}

impl Sample {
    pub fn of(server: &Server, at: Duration, answers: u64) -> Sample {
        let count =
            |what: &str| fs::read_dir(format!("/proc/{}/{what}", server.pid())).unwrap().count() as f64;
        let readings = |_| {
            thread::sleep(APART);
            (count("fd"), count("task"))
        };
        let (descriptors, threads): (Vec<f64>, Vec<f64>) = (0..READINGS).map(readings).unzip();
        Sample {
            at,
            memory: server.memory("VmRSS"),
            descriptors: median(&descriptors),
            threads: median(&threads),
            cpu: server.cpu(),
            answers,
        }
    }
}

/// One of the figures of a sample.
type Figure = fn(&Sample) -> f64;

/// All of them, in their order.
#[derive(Default)]
pub struct Samples(Vec<Sample>);

impl Samples {
    pub fn add(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// The median of a figure among those from a time on, up to another.
    fn median(&self, of: Figure, from: Duration, to: Duration) -> Option<f64> {
        let there = self.0.iter().filter(|sample| from < sample.at && sample.at <= to);
        let values: Vec<f64> = there.map(of).collect();
        (!values.is_empty()).then(|| median(&values))
    }

    /// Prints a row for each minute: medians, and what was done in it.
    pub fn print(&self) {
        let head = ["minute", "VmRSS, MB", "descriptors", "threads", "CPU, %", "answers per second"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        let end = self.0.last().map_or(Duration::ZERO, |last| last.at);
        for minute in 1..=end.as_secs().div_ceil(60) {
            let [from, to] = [minute - 1, minute].map(|minute| Duration::from_secs(60 * minute));
            let within = |sample: &&Sample| from <= sample.at && sample.at <= to;
            let (Some(first), Some(last)) =
                (self.0.iter().find(within), self.0.iter().rev().find(|sample| within(sample)))
            else {
                continue;
            };
            let time = (last.at - first.at).as_secs_f64();
            let figure = |of| self.median(of, from, to).unwrap_or(f64::NAN);
            rows.push(vec![
                minute.to_string(),
                format!("{:.1}", figure(|sample| sample.memory)),
                figure(|sample| sample.descriptors).to_string(),
                figure(|sample| sample.threads).to_string(),
                format!("{:.1}", (last.cpu - first.cpu) / time * 100.0),
                format!("{:.0}", (last.answers - first.answers) as f64 / time),
            ]);
        }
        print_table(&rows);
    }

    /// What is not flat, in words; what was compared is printed.
    pub fn growth(&self) -> Vec<String> {
        let end = self.0.last().map_or(Duration::ZERO, |last| last.at);
        let window = WINDOW.min(end.saturating_sub(WARM_UP) / 2);
        let figures: [(&str, Figure, f64); 3] = [
            ("memory, MB", |sample| sample.memory, TOLERANCE),
            ("descriptors", |sample| sample.descriptors, 0.0),
            ("threads", |sample| sample.threads, 0.0),
        ];
        println!("Medians of the first {window:?} after the warm-up and of the last:\n");
        let mut rows = vec![["", "first", "last"].map(str::to_owned).to_vec()];
        let mut grown = Vec::new();
        for (name, of, tolerance) in figures {
            let first = self.median(of, WARM_UP, WARM_UP + window);
            let last = self.median(of, end - window, end);
            let (Some(first), Some(last)) = (first, last) else {
                grown.push(format!("{name}: too few samples; it takes two minutes at least"));
                continue;
            };
            rows.push(vec![name.to_owned(), format!("{first:.1}"), format!("{last:.1}")]);
            if (last - first).abs() > first * tolerance {
                grown.push(format!("{name}: {first:.1} became {last:.1}"));
            }
        }
        print_table(&rows);
        grown
    }
}
