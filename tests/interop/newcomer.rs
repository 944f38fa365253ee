//! The README word for word, on a host where the package has just been installed: from no connector to an
//! enforced partner, with real mail at each step.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::booted::Booted;
use crate::certificates::{Authority, Subject};
use crate::condition::wait_for;
use crate::exim::{self, SITE};
use crate::lab::{Fate, as_expected, fates, fates_of};
use crate::network::{Network, partner_address};
use crate::partner::{Host, Partner, Starttls};
use crate::postfix::{self, settings_of};
use crate::resolver::Zone;
use crate::root::{Release, Software};

/// Where the package has what is called `contrib` in the checkout.
const CONTRIB: &str = "usr/share/doc/connectord/contrib";

/// Silent when everything was done as it is written.
const DOCTOR: &str = "connectord doctor postfix";
const DOCTOR_OF_EXIM: &str = "connectord doctor exim";

/// Fails when anything goes round a connector.
const PROVE: &str = "connectord prove";

const CONNECTOR: &str = "etc/connectord/connectors.d/contoso.toml";

/// The blocks of a page in this language below this heading.
pub fn blocks(page: &str, heading: &str, language: &str) -> Vec<String> {
    let (_, behind) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = behind.split("\n## ").next().unwrap();
    let fenced = section.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.strip_prefix(&format!("{language}\n"))).map(str::to_owned).collect()
}

/// The commands of a block, without what is said of them.
pub fn commands(block: &str) -> Vec<String> {
    let commands = block.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    commands.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The world of a newcomer: a partner with the README's name, of whose domains one is served by somebody
/// else, and a domain that nobody has agreed anything with.
pub struct World {
    pub network: Network,
    partner: Partner,
    authority: Authority,
    is_exim: bool,
}

impl World {
    pub fn new(release: Release) -> World {
        let network = Network::new();
        let authority = Authority::new("Lab CA");
        let shows = |name: &str| Starttls::Works(authority.issue(Subject::server(&[name])).server());
        let host = |name: &str, number, starttls| Host { name: name.to_owned(), number, starttls };
        let hosts = [
            host("mx1.contoso.com", 10, shows("mx1.contoso.com")),
            host("mx.elsewhere.example", 11, shows("mx.elsewhere.example")),
            host("mx.other.example", 12, Starttls::Absent),
        ];
        World {
            partner: Partner::start(&network.partner, &hosts),
            network,
            authority,
            is_exim: release.software == Software::EximHost,
        }
    }

    /// What is on the host before: a resolver, a CA that it trusts, and a mail server that works.
    pub fn prepare(&self, root: &Path) {
        let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
        let mut zone = Zone::default();
        for (domain, host, number) in [
            ("contoso.com", "mx1.contoso.com", 10),
            ("branch.contoso.com", "mx.elsewhere.example", 11),
            ("other.example", "mx.other.example", 12),
        ] {
            zone.mx(domain, host);
            zone.address(host, partner_address(number));
        }
        zone.write(&root.join("etc/nsd"));
        write("etc/resolv.conf", "nameserver 127.0.0.1\n");
        write("etc/hostname", "mail\n");
        write("etc/hosts", "127.0.0.1 localhost\n192.0.2.1 mail.ours.example mail\n");
        write("etc/mailname", "ours.example\n");
        write("usr/local/share/ca-certificates/lab.crt", &self.authority.pem());
        if self.is_exim {
            write("etc/exim4/update-exim4.conf.conf", SITE);
        }
        // What makes a root small would keep the package's documentation out of it.
        let _ = fs::remove_file(root.join("etc/dpkg/dpkg.cfg.d/99mmdebstrap"));
    }

    /// Sends one message to each recipient, by the command line; each must meet the fate beside it.
    pub fn send<const N: usize>(&self, machine: &Booted, expected: [(&str, &str); N]) {
        for (recipient, _) in expected {
            let send =
                format!("printf 'Subject: hello\\n\\nhello\\n' | sendmail -f bob@ours.example {recipient}");
            machine.good(&["sh", "-ec", &send]);
        }
        self.met(machine, expected);
    }

    /// Each message that was sent must meet the fate beside it.
    pub fn met<const N: usize>(&self, machine: &Booted, expected: [(&str, &str); N]) {
        let expected = fates(expected);
        as_expected(&expected, &self.fates(machine, &expected));
    }

    fn fates(&self, machine: &Booted, expected: &BTreeMap<String, String>) -> BTreeMap<String, Fate> {
        let recipients: BTreeSet<String> = expected.keys().cloned().collect();
        fates_of(&recipients, &self.partner, || {
            if self.is_exim {
                let log = fs::read(machine.root().join("var/log/exim4/mainlog")).unwrap_or_default();
                exim::queued(&String::from_utf8_lossy(&log))
            } else {
                postfix::queued(&machine.good(&["postqueue", "-j"]))
            }
        })
    }

    /// Tries again what waits; then each message must have met the fate beside it.
    pub fn retry<const N: usize>(&self, machine: &Booted, expected: [(&str, &str); N]) {
        machine.good(if self.is_exim { &["exim4", "-qff"] } else { &["postqueue", "-f"] });
        let expected = fates(expected);
        wait_for("another try", || {
            let seen = self.fates(machine, &expected);
            let wrong: Vec<_> = seen.iter().filter(|(name, fate)| !fate.is(&expected[*name])).collect();
            if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:?}")) }
        });
    }
}

/// The pages that are read, and the host of their reader.
pub struct Newcomer<'w> {
    world: &'w World,
    machine: &'w Booted,
    release: Release,
    readme: String,
}

impl<'w> Newcomer<'w> {
    pub fn new(world: &'w World, machine: &'w Booted, release: Release) -> Newcomer<'w> {
        let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
        machine.good(&["update-ca-certificates"]);
        Newcomer { world, machine, release, readme }
    }

    fn blocks(&self, language: &str) -> Vec<String> {
        blocks(&self.readme, "Ten minutes to the first enforced partner", language)
    }

    /// Runs a command line; what it says.
    #[track_caller]
    fn run(&self, line: &str) -> String {
        self.machine.good(&["sh", "-ec", line])
    }

    /// Step 1, in a checkout where the package has been built; what it says.
    pub fn install(&self) -> String {
        let block = &self.blocks("sh")[0];
        let command = commands(block).remove(0);
        let (build, install) = command.split_once(" && ").unwrap();
        assert_eq!(build, "packaging/build deb");
        self.run(&format!("cd /checkout; {install}"))
    }

    /// Steps 2 to 5. The partner's mail is enforced then, and others' mail is as before.
    pub fn enforce(&self) {
        let path = |name: &str| self.machine.root().join(name);
        let toml = self.blocks("toml");
        let [mta, connector] = &toml[..] else { panic!("{toml:?}") };
        let mta = match self.release.suite {
            "trixie" => mta.replace(r#""3.7" "#, r#""3.10""#),
            _ => mta.clone(),
        };
        assert!(mta.contains(if self.release.suite == "trixie" { "\"3.10\"" } else { "\"3.7\"" }));
        let main = path("etc/connectord/connectord.toml");
        let there = fs::read_to_string(&main).unwrap();
        fs::write(&main, there + &mta).unwrap();
        fs::write(path(CONNECTOR), connector).unwrap();
        self.run("connectord check && connectord reload");
        self.tell_the_mta();
        // It changes nothing in `report`.
        self.world.send(
            self.machine,
            [
                ("reported@contoso.com", "T mx1.contoso.com:25"),
                ("reported@branch.contoso.com", "T mx.elsewhere.example:25"),
                ("reported@other.example", "P mx.other.example:25"),
            ],
        );
        wait_for("what it would have replied", || {
            let seen = self.machine.said(&["journalctl", "-u", "connectord", "-g", "would_reply"]);
            if seen.contains("contoso.com") { Ok(()) } else { Err(seen) }
        });

        let said = self.run("connectord validate contoso-bank");
        assert!(said.starts_with("contoso-bank: passes"), "{said}");
        let connector = connector.replace(r#"mode    = "report""#, r#"mode = "enforce""#);
        assert!(connector.contains("enforce"));
        fs::write(path(CONNECTOR), connector).unwrap();
        let block = &self.blocks("sh")[1];
        let said = self.run(&commands(block)[0]);
        assert!(said.contains("contoso-bank"), "{said}");
        let rest = &commands(block)[1..];
        assert_eq!(rest.iter().filter(|command| [DOCTOR, PROVE].contains(&command.as_str())).count(), 2);
        for command in rest {
            let is_doctor = command == DOCTOR;
            let said = self.run(if self.world.is_exim && is_doctor { DOCTOR_OF_EXIM } else { command });
            assert!(!is_doctor || said.contains("none of the findings"), "{said}");
            let mta = if self.world.is_exim { "holds: Exim 4." } else { "holds: Postfix 3." };
            assert!(command != PROVE || said.contains(mta), "{said}");
        }
        self.obeyed("enforced");
    }

    /// Mail of this user of all domains goes as the connector demands.
    pub fn obeyed(&self, user: &str) {
        let [contoso, branch, other] =
            ["contoso.com", "branch.contoso.com", "other.example"].map(|domain| format!("{user}@{domain}"));
        let expected =
            [(&*contoso, "T mx1.contoso.com:25"), (&*branch, "D"), (&*other, "P mx.other.example:25")];
        self.world.send(self.machine, expected);
    }

    /// Step 4, or what is there for Exim instead.
    fn tell_the_mta(&self) {
        let page = |name: &str| fs::read_to_string(self.machine.root().join(CONTRIB).join(name)).unwrap();
        if self.world.is_exim {
            for command in commands(&blocks(&page("exim/README.md"), "Install", "sh")[0]) {
                self.run(&command.replace("contrib/", &format!("/{CONTRIB}/")));
            }
        } else {
            for setting in settings_of(&page("postfix/main.cf.outbound")) {
                self.machine.good(&["postconf", "-e", &setting]);
            }
            self.run("postfix check && postfix reload");
        }
    }

    /// The section that says how to see that it works.
    pub fn sees_that_it_works(&self) {
        for command in commands(&blocks(&self.readme, "See that it works", "sh")[0]) {
            if !(self.world.is_exim && command.starts_with("postmap")) {
                let said = self.run(&command);
                assert!(said.contains("contoso"), "{command}: {said}");
            }
        }
    }
}
