//! A daemon for a test: its directory, its process, its log.
//!
//! The process is this test binary once more, running [`child`] alone, so that the deadlines can be
//! shortened. Nothing else of it differs from `connectord serve`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use connectord::server::control::{self, ask};
use connectord::server::metrics::{Results, Tested};
use connectord::server::{LastGood, Limits, Options, loader, run};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What only a hang takes longer than.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The test that is the daemon, when a test starts it. By itself it shows that this works: a daemon
/// starts so, is ready, and ends when it is told.
#[test]
fn child() {
    let Some(directory) = std::env::var_os("CONNECTORD_TEST_DIRECTORY") else {
        assert_eq!(Setup::new("version = 1\n").start().stop(), Some(0));
        return;
    };
    let directory = PathBuf::from(directory);
    let mut limits = Limits::default();
    for setting in std::env::var("CONNECTORD_TEST_LIMITS").unwrap_or_default().split_whitespace() {
        let (name, milliseconds) = setting.split_once('=').unwrap();
        let value = Duration::from_millis(milliseconds.parse().unwrap());
        match name {
            "request" => limits.request = value,
            "idle" => limits.idle = value,
            "write" => limits.write = value,
            "drain" => limits.drain = value,
            "newcomers" => limits.newcomers = value,
            "watch" => limits.watch = value,
            "results" => limits.results = value,
            "metrics" => limits.metrics = value,
            _ => panic!("no limit {name}"),
        }
    }
    let main = directory.join("connectord.toml");
    let last_good = LastGood::new(directory.join("state"), &main);
    let mut of_file = loader::of_file(main);
    let panic = directory.join("panic");
    let [list, later] = ["list", "list.later"].map(|name| directory.join(name));
    let loader = Box::new(move |generation| {
        assert!(!panic.exists(), "as the test wants it");
        if generation > 1 {
            // Somebody who was at work on it.
            let _ = fs::rename(&later, &list);
        }
        of_file(generation)
    });
    let results = results(directory.join("results"));
    let options = Options { runtime_dir: directory.join("run"), last_good, loader, results, limits };
    let code = match run(options) {
        Ok(()) => 0,
        Err(error) => {
            std::io::Write::write_all(&mut std::io::stderr(), format!("failed: {error}\n").as_bytes())
                .unwrap();
            error.exit_code()
        }
    };
    std::process::exit(code.into());
}

/// What is known of partners: a line each of a connector's name and a word; nothing without the file. While there is a
/// file `slow` beside it, it takes its time.
fn results(file: PathBuf) -> Results {
    Box::new(move |_| {
        while file.with_file_name("slow").exists() {
            thread::sleep(Duration::from_millis(1));
        }
        let text = fs::read_to_string(&file).ok()?;
        let words = text.lines().map(|line| line.split_once(' ').unwrap());
        let at = Some("2026-11-26T00:00:00Z".parse().unwrap());
        let tested = words.map(|(connector, state)| Tested {
            connector: connector.to_owned(),
            state: if state == "failed" { "failed" } else { "validated" },
            at,
            expires: at,
        });
        Some(tested.collect())
    })
}

/// The lines of a log as they come.
#[derive(Default)]
pub struct Log {
    lines: Mutex<Vec<String>>,
    more: Condvar,
    reader: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Log {
    fn follow(self: &Arc<Self>, stderr: impl Read + Send + 'static) {
        let log = Arc::clone(self);
        *self.reader.lock().unwrap() = Some(thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { return };
                log.lines.lock().unwrap().push(line);
                log.more.notify_all();
            }
        }));
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub fn with(&self, text: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains(text)).collect()
    }

    /// Waits for a line that contains `text`.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_for_all(text, 1).remove(0)
    }

    /// Waits for so many lines that contain `text`.
    pub fn wait_for_all(&self, text: &str, count: usize) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        let enough =
            |lines: &mut Vec<String>| lines.iter().filter(|line| line.contains(text)).count() < count;
        let (lines, waited) = self.more.wait_timeout_while(lines, PATIENCE, enough).unwrap();
        assert!(!waited.timed_out(), "no {count} lines with {text:?} in {lines:#?}");
        lines.iter().filter(|line| line.contains(text)).cloned().collect()
    }
}

/// How a daemon is started.
pub struct Setup {
    pub directory: tempfile::TempDir,
    limits: String,
    /// Shell words before the command, such as `ulimit -n 64;`.
    shell: String,
    notices: Receiver<String>,
    watchdog: Option<Duration>,
    read_log: bool,
    journal: bool,
}

impl Setup {
    /// A directory with this configuration.
    pub fn new(configuration: &str) -> Setup {
        let directory = tempfile::tempdir().unwrap();
        let notify = UnixDatagram::bind(directory.path().join("notify.sock")).unwrap();
        let (notice, notices) = mpsc::channel();
        // As systemd does: read whatever is said, at once.
        thread::spawn(move || {
            let mut datagram = [0; 4096];
            while let Ok(length) = notify.recv(&mut datagram) {
                let text = String::from_utf8(datagram[..length].to_vec()).unwrap();
                if length == 0 || notice.send(text).is_err() {
                    return;
                }
            }
        });
        let setup = Setup {
            directory,
            limits: String::new(),
            shell: String::new(),
            notices,
            watchdog: None,
            read_log: true,
            journal: true,
        };
        setup.configure(configuration);
        setup
    }

    /// Deadlines in milliseconds: `request=100 idle=200`.
    pub fn limits(mut self, limits: &str) -> Setup {
        self.limits = limits.to_owned();
        self
    }

    pub fn shell(mut self, shell: &str) -> Setup {
        self.shell = shell.to_owned();
        self
    }

    pub fn watchdog(mut self, interval: Duration) -> Setup {
        self.watchdog = Some(interval);
        self
    }

    /// Leaves the log unread in its pipe.
    pub fn log_unread(mut self) -> Setup {
        self.read_log = false;
        self
    }

    /// Has no journald at the other end.
    pub fn no_journal(mut self) -> Setup {
        self.journal = false;
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn configure(&self, configuration: &str) {
        configure(self.directory.path(), configuration);
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{} exec \"$@\"", self.shell), "sh"]);
        command.arg(std::env::current_exe().unwrap());
        command.args(["daemon::child", "--exact", "--nocapture", "--test-threads=1"]);
        command.env("CONNECTORD_TEST_DIRECTORY", self.directory.path());
        command.env("CONNECTORD_TEST_LIMITS", &self.limits);
        command.env("NOTIFY_SOCKET", self.path("notify.sock"));
        command.env_remove("JOURNAL_STREAM");
        if self.journal {
            command.env("JOURNAL_STREAM", "8:1");
        }
        if let Some(interval) = self.watchdog {
            command.env("WATCHDOG_USEC", interval.as_micros().to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Starts a daemon and waits until it serves.
    pub fn start(self) -> Daemon {
        let command = self.command();
        self.start_as(command)
    }

    pub fn start_as(self, command: Command) -> Daemon {
        let (child, log, stderr) = spawn(command, self.read_log);
        let mut daemon = Daemon { child, log, stderr, setup: self, notified: Vec::new() };
        daemon.wait_for_notice("READY=1");
        daemon
    }

    /// Starts a daemon that is to fail; its exit code and what it said.
    pub fn fail(&self) -> (Option<i32>, String) {
        let output = self.command().output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

fn spawn(mut command: Command, read_log: bool) -> (Child, Arc<Log>, Option<ChildStderr>) {
    let mut child = command.spawn().unwrap();
    let log = Arc::new(Log::default());
    let mut stderr = child.stderr.take();
    if read_log {
        log.follow(stderr.take().unwrap());
    }
    (child, log, stderr)
}

pub fn configure(directory: &Path, configuration: &str) {
    // As an administrator's editor does, so that no load sees half of it.
    let temporary = directory.join("new.toml");
    fs::write(&temporary, configuration).unwrap();
    // A reload would look again at what was written just now.
    let old = SystemTime::now() - Duration::from_secs(60);
    fs::File::options().write(true).open(&temporary).unwrap().set_modified(old).unwrap();
    fs::rename(temporary, directory.join("connectord.toml")).unwrap();
}

/// A daemon that serves. Killed when dropped.
pub struct Daemon {
    child: Child,
    pub log: Arc<Log>,
    pub stderr: Option<ChildStderr>,
    pub setup: Setup,
    notified: Vec<String>,
}

impl Daemon {
    pub fn path(&self, name: &str) -> PathBuf {
        self.setup.path(name)
    }

    pub fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits until systemd is told something.
    pub fn wait_for_notice(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(notice) = self.setup.notices.recv_timeout(Duration::from_millis(50)) {
                self.notified.push(notice.clone());
                if notice.contains(text) {
                    return notice;
                }
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended with {ended:?}: {:#?}", self.log.lines());
            assert!(Instant::now() < deadline, "no {text} among {:?}", self.notified);
        }
    }

    pub fn status(&self) -> serde_json::Value {
        self.ask(control::Command::Status)
    }

    pub fn reload(&self) -> serde_json::Value {
        self.ask(control::Command::Reload { accept_weaker: false })
    }

    pub fn ask(&self, command: control::Command) -> serde_json::Value {
        let answer = ask(&self.path("run/control.sock"), command).unwrap();
        assert!(!answer.contains('\n'), "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// Waits until the status satisfies.
    pub fn wait_until(&self, good: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if good(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "{status:#}");
            thread::yield_now();
        }
    }

    pub fn configure(&self, configuration: &str) {
        self.setup.configure(configuration);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.signal(), None, "{:#?}", self.log.lines());
                return status;
            }
            assert!(Instant::now() < deadline, "still running: {:#?}", self.log.lines());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The whole log of a daemon that has ended.
    pub fn all_lines(&self) -> Vec<String> {
        if let Some(reader) = self.log.reader.lock().unwrap().take() {
            reader.join().unwrap();
        }
        self.log.lines()
    }

    /// Ends it without a chance to clean up.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts another one in the same place, after the end of this one.
    pub fn start_again(&mut self) {
        self.spawn_again();
        self.wait_for_notice("READY=1");
    }

    /// As [`Daemon::start_again`], without waiting until it serves.
    pub fn spawn_again(&mut self) {
        // What the other one said has been read when this has.
        UnixDatagram::unbound().unwrap().send_to(b"behind it", self.path("notify.sock")).unwrap();
        while self.setup.notices.recv_timeout(PATIENCE).unwrap() != "behind it" {}
        (self.child, self.log, self.stderr) = spawn(self.setup.command(), self.setup.read_log);
    }

    /// Stops it as systemd does.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        self.wait().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
