//! Servers as processes of their own, and what they take.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use super::baseline::{self, Kind};

/// What only a server that hangs takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs.
pub struct Server {
    process: Child,
    /// Where connectord has its sockets and its log.
    pub directory: PathBuf,
    /// Lines that were lost before they got into the log, if it is [`read`].
    lost: Arc<AtomicU64>,
}

/// For clients: the last CPU, and all the files that may be had.
pub fn raise_limit_on_files() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let mut own = CpuSet::new();
    own.set(*cpus().last().unwrap()).unwrap();
    sched_setaffinity(Pid::from_raw(0), &own).unwrap();
}

/// The CPUs of this machine that this process was given at its start.
fn cpus() -> Vec<usize> {
    static CPUS: std::sync::OnceLock<Vec<usize>> = std::sync::OnceLock::new();
    let ask = || {
        let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
        (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap()).collect()
    };
    CPUS.get_or_init(ask).clone()
}

fn on_first_cpu(program: &Path) -> Command {
    on_cpus(program, &cpus()[..1])
}

fn on_cpus(program: &Path, cpus: &[usize]) -> Command {
    let list: Vec<String> = cpus.iter().map(ToString::to_string).collect();
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &list.join(",")]).arg(program).stdin(Stdio::null());
    command
}

impl Server {
    /// The baseline, on the CPU of servers.
    pub fn baseline(kind: Kind, directory: &Path) -> Server {
        fs::create_dir_all(directory).unwrap();
        let (name, value) = baseline::variable(kind, &directory.join(Server::socket_name(kind)));
        let process = on_first_cpu(&std::env::current_exe().unwrap()).env(name, value).spawn().unwrap();
        let server = Server { process, directory: directory.to_owned(), lost: Arc::default() };
        server.wait(kind);
        server
    }

    /// connectord, on the CPU of servers, its log a stream that is read on the CPU of clients, as
    /// journald reads it.
    pub fn connectord(configuration: &Path, directory: &Path) -> Server {
        let command = on_first_cpu(Path::new(env!("CARGO_BIN_EXE_connectord")));
        let (log, reader) = UnixStream::pair().unwrap();
        let server = Server::start(command, configuration, directory, log.into());
        let lost = Arc::clone(&server.lost);
        std::thread::spawn(move || read(reader, &lost));
        server
    }

    /// connectord with all CPUs, as a service has them, its log in a file.
    pub fn connectord_unpinned(configuration: &Path, directory: &Path) -> Server {
        fs::create_dir_all(directory).unwrap();
        let log = File::options().append(true).create(true).open(directory.join("log")).unwrap();
        let command = on_cpus(Path::new(env!("CARGO_BIN_EXE_connectord")), &cpus());
        Server::start(command, configuration, directory, log.into())
    }

    fn start(mut command: Command, configuration: &Path, directory: &Path, log: OwnedFd) -> Server {
        fs::create_dir_all(directory).unwrap();
        command.arg("serve").arg("--config").arg(configuration);
        command.arg("--runtime-dir").arg(directory).arg("--state-dir").arg(directory.join("state"));
        // As the unit has it; the times of lines are journald's.
        command.env("JOURNAL_STREAM", "1:1").stderr(log);
        for (name, value) in unit_environment() {
            command.env(name, value);
        }
        let process = command.spawn().unwrap();
        Server { process, directory: directory.to_owned(), lost: Arc::default() }
    }

    fn socket_name(kind: Kind) -> &'static str {
        match kind {
            Kind::Socketmap => "socketmap.sock",
            Kind::Policy => "policy.sock",
            Kind::Line => "exim.sock",
        }
    }

    pub fn socket(&self, kind: Kind) -> PathBuf {
        self.directory.join(Server::socket_name(kind))
    }

    /// Waits until it can be asked; the first connection.
    pub fn wait(&self, kind: Kind) -> UnixStream {
        let begin = Instant::now();
        loop {
            match UnixStream::connect(self.socket(kind)) {
                Ok(stream) => return stream,
                Err(error) => assert!(begin.elapsed() < PATIENCE, "{error}: {}", self.log()),
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().try_into().unwrap())
    }

    /// Seconds of CPU time of all its threads so far.
    pub fn cpu(&self) -> f64 {
        let clock = clock_getcpuclockid(self.pid()).unwrap();
        Duration::from(clock_gettime(clock).unwrap()).as_secs_f64()
    }

    /// A figure of its /proc/PID/status in MB: `VmRSS`, `VmHWM`.
    pub fn memory(&self, field: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// How many lines were lost since this was last asked.
    pub fn lost_lines(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    /// Reloads by the command, waits for the outcome; how long it took.
    pub fn reload(&self, configuration: &Path) -> Duration {
        let begin = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_connectord"))
            .arg("reload")
            .arg("--config")
            .arg(configuration)
            .arg("--runtime-dir")
            .arg(&self.directory)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        begin.elapsed()
    }
}

/// Reads a log to its end. What is said at warn or above is shown: nothing is expected to be.
fn read(log: UnixStream, lost: &AtomicU64) {
    let mut log = BufReader::with_capacity(64 * 1024, log);
    let mut line = String::new();
    while log.read_line(&mut line).is_ok_and(|count| count > 0) {
        if let Some((_, count)) = line.split_once("log_lost count=") {
            lost.fetch_add(count.trim_end().parse().unwrap(), Ordering::Relaxed);
        } else if !line.starts_with("info ") {
            eprint!("{line}");
        }
        line.clear();
    }
}

/// What packaging/systemd gives the service.
fn unit_environment() -> Vec<(String, String)> {
    let unit = include_str!("../../packaging/systemd/connectord.service");
    let settings = unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = kill(self.pid(), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}
