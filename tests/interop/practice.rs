//! Where `doctor` examines a Postfix: a lab with contrib's settings, in which faults are made and mended.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::certificates::Authority;
use crate::condition::wait_for;
use crate::daemon::CONNECTORD;
use crate::lab::{Lab, fates};
use crate::partner::Host;
use crate::postfix::until_others_serve;
use crate::resolver::Zone;
use crate::root::Release;

/// Where the machine has the program and its configuration. Commands that are printed call it by its name.
pub const PROGRAM: &str = "/etc/postfix/connectord";
const CONFIGURATION: &str = "/etc/postfix/connectord.toml";

/// A running daemon on the machine.
pub struct Served<'p> {
    practice: &'p Practice,
    /// Its number there.
    pid: u64,
    entered: Child,
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        let command = format!("kill {}", self.pid);
        let _ = self.practice.lab.machine.output("sh", &["-c", &command]);
        let _ = self.entered.wait();
    }
}
/// What `prove` becomes.
const VALIDATE: &str = env!("CARGO_BIN_EXE_connectord-validate");

pub struct Practice {
    pub lab: Lab,
}

impl Practice {
    pub fn open(release: Release, authority: &Authority, hosts: &[Host], zone: Zone) -> Practice {
        let lab: Lab = Lab::start(release, authority, hosts, zone, &[]);
        let directory = lab.machine.directory();
        fs::write(directory.join("certificates/ca-certificates.crt"), authority.pem()).unwrap();
        let practice = Practice { lab };
        for (name, built) in [("connectord", CONNECTORD), ("connectord-validate", VALIDATE)] {
            let program = practice.path(name);
            fs::copy(built, &program).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        practice
    }

    /// A file among Postfix's, which the machine sees.
    fn path(&self, name: &str) -> PathBuf {
        self.lab.machine.directory().join("etc").join(name)
    }

    /// A file of Postfix's, of a minute ago: what was written just now is half written to it.
    pub fn write_table(&self, name: &str, text: &str) {
        restore(&self.path(name), text.as_bytes());
    }

    /// A file that connectors name.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The connectors, for the daemon and for `doctor`.
    pub fn agree(&self, connectors: &str) {
        self.agree_with(&["ours.example"], connectors);
    }

    /// The same, with these domains as our own.
    pub fn agree_with(&self, own_domains: &[&str], connectors: &str) {
        let listen = |protocol: &str| {
            let path = format!("/var/spool/postfix/connectord/{protocol}.sock");
            format!("[[listen]]\nprotocol = {protocol:?}\npath = {path:?}\ngroup = \"postfix\"\n")
        };
        let sockets = listen("socketmap") + &listen("policy");
        let queue = "queue_directory = \"/var/spool/postfix\"";
        let mta = format!("[mta]\nown_domains = {own_domains:?}\n{queue}\n");
        let include = "include = [\"connectors.d/*.toml\"]";
        let text = format!("version = 1\n{include}\n{sockets}{mta}{connectors}");
        fs::write(self.path("connectord.toml"), text).unwrap();
        // Whoever agrees anew has no other file than this.
        let _ = fs::remove_dir_all(self.path("connectors.d"));
        fs::create_dir(self.path("connectors.d")).unwrap();
    }

    /// The same, and the running daemon learns of it.
    pub fn agree_from_now_on(&self, connectors: &str) {
        self.agree(connectors);
        self.reload();
    }

    pub fn reload(&self) {
        let reload = self.lab.machine.run(PROGRAM, &["reload", "--json", "--config", CONFIGURATION]);
        let reload: Value = serde_json::from_str(&reload).unwrap();
        assert_eq!(reload["ok"], true, "{reload}");
    }

    /// Starts the daemon on the machine, as its root; it serves when this returns.
    pub fn serve(&self) -> Served<'_> {
        let mut command = self.lab.machine.command(PROGRAM);
        command.args(["serve", "--config", CONFIGURATION, "--state-dir", "/run/connectord-state"]);
        let log = fs::File::create(self.path("connectord.log")).unwrap();
        let entered = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let pid = wait_for("connectord", || {
            let status = self.lab.machine.output(PROGRAM, &["status", "--json", "--config", CONFIGURATION]);
            let log = || fs::read_to_string(self.path("connectord.log")).unwrap();
            let value: Value = serde_json::from_slice(&status.stdout).map_err(|_| log())?;
            value["pid"].as_u64().ok_or_else(log)
        });
        Served { practice: self, pid, entered }
    }

    pub fn postconf(&self, arguments: &[&str]) {
        self.lab.machine.run("postconf", arguments);
        self.reload_postfix();
    }

    pub fn reload_postfix(&self) {
        self.until_others_serve(|| {
            self.lab.machine.run("postfix", &["reload"]);
        });
    }

    fn until_others_serve(&self, reload: impl FnOnce()) {
        until_others_serve(|script| self.lab.machine.run("sh", &["-c", script]), reload);
    }

    /// What `doctor` finds; its exit code says the same.
    pub fn findings(&self) -> Vec<Value> {
        self.findings_of(&[])
    }

    /// The same, when these words run the program.
    pub fn findings_of(&self, by: &[&str]) -> Vec<Value> {
        let doctor = [PROGRAM, "doctor", "postfix", "--json", "--config", CONFIGURATION];
        let words = [by, &doctor].concat();
        let output = self.lab.machine.output(words[0], &words[1..]);
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let findings = report["findings"].as_array().unwrap().clone();
        let is_bad = findings.iter().any(|finding| finding["severity"] != "advice");
        assert_eq!(output.status.code(), Some(i32::from(is_bad)), "{findings:#?}");
        findings
    }

    #[track_caller]
    pub fn is_well(&self) {
        assert_eq!(self.findings(), Vec::<Value>::new());
    }

    /// These sockets are not reached, and all that is found says why.
    #[track_caller]
    pub fn stands_still(&self, sockets: &[&str], why: &str) {
        let findings = self.findings();
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let mut places: Vec<String> = findings.iter().map(|finding| text(finding, "where")).collect();
        places.sort_by_key(|place| !place.ends_with("socketmap.sock"));
        assert_eq!(places, sockets, "{findings:#?}");
        for finding in &findings {
            assert_eq!(finding["id"], "postfix-daemon-unreached");
            assert!(text(finding, "message").contains(why), "{finding:#?}");
        }
    }

    /// The one finding is about these connectors.
    #[track_caller]
    pub fn names(&self, connectors: &[&str]) {
        let findings = self.findings();
        let [finding] = &findings[..] else { panic!("{findings:#?}") };
        let named: Vec<&str> =
            finding["connectors"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        assert_eq!(named, connectors, "{finding:#?}");
    }

    /// The one finding, which is this.
    #[track_caller]
    pub fn finds(&self, id: &str, place: &str) -> Value {
        let findings = self.findings();
        let [finding] = &findings[..] else { panic!("{id} at {place}: {findings:#?}") };
        assert_eq!((finding["id"].as_str(), finding["where"].as_str()), (Some(id), Some(place)));
        finding.clone()
    }

    /// The one finding is this; its commands are run as they are printed, and then there is none.
    #[track_caller]
    pub fn is_mended(&self, id: &str, place: &str) {
        self.are_mended(id, &[place]);
    }

    /// The same of one kind at several places, which is found nowhere else.
    #[track_caller]
    pub fn are_mended(&self, id: &str, places: &[&str]) {
        let findings = self.findings();
        let found: Vec<_> =
            findings.iter().map(|finding| (finding["id"].as_str(), finding["where"].as_str())).collect();
        let expected: Vec<_> = places.iter().map(|&place| (Some(id), Some(place))).collect();
        assert_eq!(found, expected, "{findings:#?}");
        findings.iter().for_each(|finding| self.obey(finding));
        self.is_well();
    }

    /// Runs the commands of a finding, as they are printed.
    #[track_caller]
    pub fn obey(&self, finding: &Value) {
        let mend: Vec<&str> = finding["mend"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        assert!(!mend.is_empty(), "{finding:#?}");
        for command in mend {
            let run = || {
                let output = self.typed(command);
                assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
            };
            if command == "postfix reload" { self.until_others_serve(run) } else { run() }
        }
    }

    /// What comes of a command that is typed as it is printed.
    pub fn typed(&self, command: &str) -> Output {
        let command = format!("PATH=/etc/postfix:$PATH; {command}");
        self.lab.machine.output("sh", &["-ec", &command])
    }

    /// Sends a message; it must meet this fate.
    pub fn send(&self, header: &str, recipient: &str, fate: &str) {
        self.lab.mta.submit_with(&self.lab.network, header, [recipient]);
        self.lab.met(&fates([(recipient, fate)]));
    }

    /// Main.cf and master.cf are as they were after this.
    pub fn with_settings_restored(&self, work: impl FnOnce()) {
        let kept = ["main.cf", "master.cf"].map(|name| (self.path(name), fs::read(self.path(name)).unwrap()));
        work();
        for (path, text) in kept {
            restore(&path, &text);
        }
        self.reload_postfix();
    }
}

fn restore(path: &Path, text: &[u8]) {
    fs::write(path, text).unwrap();
    // Postfix takes what was written just now for half written.
    let touched = Command::new("touch").args(["-d", "1 minute ago"]).arg(path).status().unwrap();
    assert!(touched.success());
}
