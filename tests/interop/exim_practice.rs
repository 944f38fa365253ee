//! Where `doctor` examines an Exim: a lab with contrib's files, in which faults are made and mended.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::daemon::CONNECTORD;
use crate::exim::{CONTRIB, Exim, copy};
use crate::lab::{Lab, Mta, fates};

/// What faults are made in, among Exim's files.
const ALTERED: [&str; 2] = ["conf.d", "connectord"];

pub struct Practice<M = Exim> {
    pub lab: Lab<M>,
}

impl<M: Mta> Practice<M> {
    pub fn new(lab: Lab<M>) -> Practice<M> {
        let directory = lab.machine.directory();
        copy(CONTRIB.as_ref(), &directory.join("contrib"));
        let practice = Practice { lab };
        let program = practice.path("doctor");
        fs::copy(CONNECTORD, &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        practice
    }

    /// A file among Exim's, which the machine sees.
    pub fn path(&self, name: &str) -> PathBuf {
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
        let text = format!(
            "version = 1\n[[listen]]\nprotocol = \"exim\"\npath = \"/run/connectord/exim.sock\"\n\
             [mta]\nown_domains = [\"ours.example\"]\n{connectors}"
        );
        fs::write(self.path("connectord.toml"), text).unwrap();
    }

    /// A command of whoever administers the host.
    pub fn shell(&self, command: &str) {
        self.lab.machine.run("sh", &["-ec", command]);
    }

    /// What `doctor` finds; its exit code says the same.
    pub fn findings(&self) -> Vec<Value> {
        let arguments = ["doctor", "exim", "--json", "--config", "/etc/exim4/connectord.toml"];
        let output = self.lab.machine.output("/etc/exim4/doctor", &arguments);
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

    /// The one finding is this, about these connectors.
    #[track_caller]
    pub fn finds(&self, id: &str, place: &str, connectors: &[&str]) -> Value {
        let findings = self.findings();
        let [finding] = &findings[..] else { panic!("{id} at {place}: {findings:#?}") };
        let names: Vec<&str> =
            finding["connectors"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        let seen = (finding["id"].as_str().unwrap(), finding["where"].as_str().unwrap(), &names[..]);
        assert_eq!(seen, (id, place, connectors), "{finding:#?}");
        finding.clone()
    }

    /// The one finding is this; its commands are run as they are printed, and then there is none.
    #[track_caller]
    pub fn is_mended(&self, id: &str, place: &str, connectors: &[&str]) {
        self.mend(&self.finds(id, place, connectors));
        self.is_well();
    }

    /// Runs the commands of a finding as they are printed.
    #[track_caller]
    pub fn mend(&self, finding: &Value) {
        let mend: Vec<&str> = finding["mend"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        assert!(mend.len() > 1, "{finding:#?}");
        for command in mend {
            self.shell(command);
        }
    }

    /// Exim's files are as they were after this.
    pub fn with_files_restored(&self, work: impl FnOnce()) {
        let cp = |from: &str, to: &str| {
            let status = Command::new("cp").arg("-a").arg(self.path(from)).arg(self.path(to)).status();
            assert!(status.unwrap().success(), "{from}");
        };
        for name in ALTERED {
            cp(name, &format!("{name}.kept"));
        }
        work();
        for name in ALTERED {
            fs::remove_dir_all(self.path(name)).unwrap();
            fs::rename(self.path(&format!("{name}.kept")), self.path(name)).unwrap();
        }
        self.shell("update-exim4.conf");
    }
}

impl Practice {
    /// Sends a message; it must meet this fate. What Exim remembers of its hosts is of no account.
    #[track_caller]
    pub fn send(&self, recipient: &str, fate: &str) {
        self.forget();
        self.lab.send_now(recipient);
        self.lab.met(&fates([(recipient, fate)]));
    }

    /// Exim knows of no failure.
    pub fn forget(&self) {
        self.shell("rm -f /var/spool/exim4/db/retry*");
    }
}
