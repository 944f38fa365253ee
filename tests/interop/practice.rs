//! Where `doctor` examines a Postfix: a lab with contrib's settings, in which faults are made and mended.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::certificates::Authority;
use crate::daemon::CONNECTORD;
use crate::lab::{Lab, fates};
use crate::partner::Host;
use crate::resolver::Zone;
use crate::root::Release;

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

    /// A file that connectors name.
    pub fn write(&self, name: &str, text: &str) {
        self.lab.site.write(name, text);
        fs::write(self.path(name), text).unwrap();
    }

    /// The connectors: for the daemon, whose paths are those of the host, and for `doctor`, whose paths are those of the
    /// machine.
    pub fn agree(&self, connectors: &str) {
        self.lab.site.configure(connectors);
        let listen = |protocol: &str| {
            let path = format!("/var/spool/postfix/connectord/{protocol}.sock");
            format!("[[listen]]\nprotocol = {protocol:?}\npath = {path:?}\n")
        };
        let sockets = listen("socketmap") + &listen("policy");
        let mta = "[mta]\nown_domains = [\"ours.example\"]\nqueue_directory = \"/var/spool/postfix\"\n";
        let text = format!("version = 1\n{sockets}{mta}{connectors}");
        fs::write(self.path("connectord.toml"), text).unwrap();
    }

    /// The same, and the running daemon learns of it.
    pub fn agree_from_now_on(&self, connectors: &str) {
        self.agree(connectors);
        let reload = self.lab.site.json(&["reload", "--json"]);
        assert_eq!(reload["ok"], true, "{reload}");
    }

    pub fn postconf(&self, arguments: &[&str]) {
        self.lab.machine.run("postconf", arguments);
        self.lab.machine.run("postfix", &["reload"]);
    }

    /// What `doctor` finds; its exit code says the same.
    pub fn findings(&self) -> Vec<Value> {
        let arguments = ["doctor", "postfix", "--json", "--config", "/etc/postfix/connectord.toml"];
        let output = self.lab.machine.output("/etc/postfix/connectord", &arguments);
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let findings = report["findings"].as_array().unwrap().clone();
        assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())));
        findings
    }

    #[track_caller]
    pub fn is_well(&self) {
        assert_eq!(self.findings(), Vec::<Value>::new());
    }

    /// The one finding is this; its commands are run as they are printed, and then there is none.
    #[track_caller]
    pub fn is_mended(&self, id: &str, place: &str) {
        let findings = self.findings();
        let [finding] = &findings[..] else { panic!("{id} at {place}: {findings:#?}") };
        assert_eq!((finding["id"].as_str(), finding["where"].as_str()), (Some(id), Some(place)));
        let mend: Vec<&str> = finding["mend"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        assert!(mend.len() > 1, "{finding:#?}");
        for command in mend {
            self.lab.machine.run("sh", &["-ec", command]);
        }
        self.is_well();
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
        self.lab.machine.run("postfix", &["reload"]);
    }
}

fn restore(path: &Path, text: &[u8]) {
    fs::write(path, text).unwrap();
    // Postfix takes what was written just now for half written.
    let touched = Command::new("touch").args(["-d", "1 minute ago"]).arg(path).status().unwrap();
    assert!(touched.success());
}
