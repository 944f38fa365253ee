//! `prove` with Exim: on an installation as contrib says every connector holds; each way round a connector is found, with
//! the connector's name and the server's. Each fault is met by one connector, so that one proof shows all.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::certificates::Authority;
use crate::daemon::CONNECTORD;
use crate::exim_practice::Practice;
use crate::exim_single_file::{Own, SingleFile};
use crate::lab::{Lab, Mta};
use crate::on_each_exim;
use crate::prove::{ALL, ALL_WRONG, NO_TLS, each, failed, proved, text_of};
use crate::resolver::Zone;
use crate::root::Release;

on_each_exim!(every_level_holds, what_goes_round, other_settings);

const VALIDATE: &str = env!("CARGO_BIN_EXE_connectord-validate");

impl<M: Mta> Practice<M> {
    pub fn prover(release: Release) -> Practice<M> {
        let authority = Authority::new("Lab CA");
        let practice = Practice::new(Lab::start(release, &authority, &[], Zone::default(), &[]));
        practice.write("own.pem", &Authority::new("a partner's own").pem());
        fs::create_dir(practice.path("bin")).unwrap();
        for (name, built) in [("connectord", CONNECTORD), ("connectord-validate", VALIDATE)] {
            let program = practice.path("bin").join(name);
            fs::copy(built, &program).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        practice
    }

    pub fn proof(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--config", "/etc/exim4/connectord.toml"];
        all.extend(arguments);
        proved(&self.lab.machine, "/etc/exim4/bin/connectord", &all)
    }

    /// Every file of the machine that could be written, with its owner, mode, time and content.
    pub fn all_files(&self) -> String {
        let script = "find /etc /var /run -printf '%p %y %m %U %G %s %T@ %l\\n' | sort; \
                      find /etc /var /run -type f -exec sha256sum {} + | sort";
        self.lab.machine.run("sh", &["-ec", script])
    }
}

fn connector(name: &str, mode: &str, tls: &str) -> String {
    format!("[[outbound]]\nname = \"{name}\"\nmode = \"{mode}\"\ndomains = [\"{name}.example\"]\n{tls}\n")
}

fn connectors(all: &[(&str, &str)]) -> String {
    all.iter().map(|(name, tls)| connector(name, "enforce", tls)).collect()
}

/// Nobody has the key.
fn pinned() -> String {
    format!("tls = \"fingerprint\"\nfingerprints = [\"sha256:{}\"]", ["AA"; 32].join(":"))
}

const NAMES: &str = "tls = \"secure\"\nmatch = [\"*.filter.example\"]";
const MODERN: &str = "tls = \"secure\"\nmatch = \"domain\"\nprotocols = \">=TLSv1.3\"";
const AUTHORITY: &str = "tls = \"secure\"\nmatch = \"domain\"\nca_file = \"own.pem\"";

fn every_level_holds(release: Release) {
    let practice: Practice = Practice::prover(release);
    let routed = "tls = \"secure\"\nmatch = [\"mail.filter.example\"]\nroute = [\"[mail.filter.example]:2525\"]\n\
                  ca_file = \"own.pem\"\nprotocols = \">=TLSv1.3\"";
    practice.agree(&connectors(&[
        ("names", NAMES),
        ("encrypted", "tls = \"encrypt\""),
        ("verified", "tls = \"verify\""),
        ("dane", "tls = \"dane\""),
        ("dane-only", "tls = \"dane-only\""),
        ("routed", routed),
        ("pinned", &pinned()),
    ]));
    let before = practice.all_files();
    let proof = practice.proof(&["--report", "/tmp/proof.html"]);
    assert_eq!(practice.all_files(), before);
    assert_eq!(proof["verdict"], "holds", "{proof:#}");
    let arrived = |name: &str| -> BTreeSet<String> {
        let here = each(&proof).filter(|(connector, tried)| connector == name && tried["end"] == "arrived");
        here.map(|(_, tried)| text_of(&tried["server"])).collect()
    };
    let set = |servers: &[&str]| servers.iter().map(|server| (*server).to_owned()).collect::<BTreeSet<_>>();
    let right = ["right", "system-authority", "no-tlsa", "tls-1.2", "old-tls"];
    let any = ["self-signed", "unknown-authority", "expired", "wrong-name", "own-name", "misled"];
    for (name, expected) in [
        ("names", &right[..]),
        ("encrypted", &[&right[..], &any].concat()),
        ("verified", &[&right[..], &["own-name", "misled"]].concat()),
        ("dane", &["right", "no-tlsa", "tls-1.2", "old-tls"]),
        ("dane-only", &["right", "tls-1.2", "old-tls"]),
        ("routed", &["right", "own-name", "no-tlsa"]),
        ("pinned", &[]),
    ] {
        assert_eq!(arrived(name), set(expected), "{name}");
    }

    // Which Exim it was, and with what, is told.
    let version = practice.lab.machine.run("exim4", &["-bV"]);
    let told = proof["mta_version"].as_str().unwrap();
    assert!(
        told.starts_with(release.version) && version.contains(&format!("Exim version {told} ")),
        "{told}"
    );
    let digest = |path: &str| practice.lab.machine.run("sha256sum", &[path])[..64].to_owned();
    let page = practice.lab.machine.run("cat", &["/tmp/proof.html"]);
    for path in ["/var/lib/exim4/config.autogenerated", "/etc/exim4/connectord/routers"] {
        let is_it = |file: &&Value| file["path"] == path;
        let file = proof["files"].as_array().unwrap().iter().find(is_it).unwrap();
        assert_eq!(file["sha256"], digest(path), "{path}");
        assert!(page.contains(path) && page.contains(&digest(path)), "{path}");
    }
    assert!(
        page.contains("A copy of this machine's Exim")
            && page.contains(told)
            && !page.contains("Postfix that runs")
    );
}

/// What somebody could do to the files of Exim, each line for one connector.
const FAULTS: &str = r#"
cd /etc/exim4
cat > conf.d/router/04_site <<END
site_smarthost:
  driver = manualroute
  domains = smarthost.example
  route_list = * relay.lab.example::2626
  transport = remote_smtp
site_fallback:
  driver = manualroute
  domains = fallback.example
  condition = \${if first_delivery{no}{yes}}
  route_list = * relay.lab.example
  transport = remote_smtp
site_hidden:
  driver = manualroute
  domains = hidden.example
  condition = \${if first_delivery{no}{yes}}
  route_data = \${lookup{relay}lsearch{/etc/exim4/relays}}
  transport = remote_smtp
site_archive:
  driver = redirect
  domains = archived.example
  data = archive@archive.lab.example
  unseen
END
echo 'relay: relay.lab.example::2727' > relays
sed -i '/^connectord_encrypt:/,/^connectord_host:/s/hosts_require_tls = .*/hosts_require_tls =/' connectord/transports
sed -i '/^connectord_host:/,/^connectord_cert:/s/tls_verify_cert_hostnames = .*/tls_verify_cert_hostnames =/' connectord/transports
sed -i '/^connectord_cert:/,/^connectord_pin:/s/CONNECTORD_CERTIFICATE/${if eq{$domain}{names.example}{}{CONNECTORD_CERTIFICATE}}/' connectord/transports
sed -i '/^connectord_pin:/,/^connectord_dane:/{/event_action/d;/authenticated_sender/d}' connectord/transports
sed -i '/^connectord_dane:/,${/authenticated_sender/d}' connectord/transports
sed -i 's/^TLSv1.3=:+VERS-TLS1.3}/TLSv1.3=:+VERS-TLS1.3:+VERS-TLS1.2}/' connectord/macros
sed -i 's/^CONNECTORD_ANCHORS = .*/CONNECTORD_ANCHORS = system/' connectord/macros
update-exim4.conf
"#;

fn what_goes_round(release: Release) {
    let practice: Practice = Practice::prover(release);
    let enforced = connectors(&[
        ("smarthost", "tls = \"encrypt\""),
        ("fallback", "tls = \"verify\""),
        ("encrypted", "tls = \"encrypt\""),
        ("verified", "tls = \"verify\""),
        ("names", NAMES),
        ("pinned", &pinned()),
        ("dane-only", "tls = \"dane-only\""),
        ("modern", MODERN),
        ("authority", AUTHORITY),
        ("hidden", "tls = \"dane\""),
        ("archived", "tls = \"dane\""),
    ]);
    let weak = "[[outbound]]\nname = \"weak\"\nmode = \"enforce\"\ndomains = [\"weak.co.uk\"]\ntls = \"secure\"\n\
                match = [\"mx.weak.co.uk\", \"*.co.uk\"]\n";
    practice.agree(&(enforced + weak + &connector("reported", "report", NAMES)));
    practice.shell(FAULTS);
    let over_tls = &ALL[5..];
    // Unlike Postfix, Exim tries at once without TLS when the handshake broke.
    let no_tls = [&NO_TLS[..], &["broken"]].concat();
    let proof = practice.proof(&[]);
    failed(
        &proof,
        "one fault each",
        &[
            ("smarthost", &no_tls),
            (
                "fallback",
                &[&no_tls[..], &["self-signed", "unknown-authority", "expired", "wrong-name"]].concat(),
            ),
            ("encrypted", &["no-starttls", "stripped"]),
            ("verified", &["wrong-name"]),
            ("names", &["wrong-name", "own-name", "misled"]),
            ("weak", &["wrong-name"]),
            ("pinned", &[&["right"], over_tls].concat()),
            ("dane-only", &["no-tlsa"]),
            ("modern", &["tls-1.2"]),
            ("authority", &["system-authority"]),
            ("reported", &[&ALL_WRONG[..], &["broken"]].concat()),
        ],
    );
    // Where a log names no port, and what is for others, nothing is shown.
    for (name, why) in
        [("hidden", "where no server of the proof is: "), ("archived", "for archive.lab.example")]
    {
        assert_eq!(verdict(&proof, name)["verdict"], "not-shown", "{proof:#}");
        let reasons = verdict(&proof, name)["reasons"].to_string();
        assert!(reasons.contains(why), "{reasons}");
    }
}

fn verdict<'p>(proof: &'p Value, name: &str) -> &'p Value {
    let mut all = proof["connectors"].as_array().unwrap().iter();
    all.find(|connector| connector["connector"] == name).unwrap()
}

/// What is logged elsewhere and in another form, and nothing is delivered before the queue is run. For what is delayed there
/// is a relay at a port that the configuration does not show, and the log does.
const OTHER: &str = r"
cd /etc/exim4
cp exim4.conf kept
printf 'log_file_path = syslog\nlog_selector = +millisec +pid +sender_on_delivery +outgoing_port\nqueue_only\nno_queue_only_override\n' > exim4.conf
cat kept >> exim4.conf
cat > fallback <<END
site_fallback:
  driver = manualroute
  domains = fallback.example
  condition = \${if first_delivery{no}{yes}}
  route_data = \${lookup{relay}lsearch{/etc/exim4/relays}}
  transport = remote_smtp
END
sed -i '/^begin routers/r fallback' exim4.conf
echo 'relay: relay.lab.example::2727' > relays
";

fn other_settings(release: Release) {
    let practice: Practice<SingleFile<Own>> = Practice::prover(release);
    let encrypted = "tls = \"encrypt\"";
    practice.agree(&connectors(&[("encrypted", encrypted), ("fallback", encrypted)]));
    practice.shell(OTHER);
    // Whoever Exim becomes is no root, and reads what is made for it.
    let program = practice.path("bin/connectord-careful");
    fs::write(&program, "#!/bin/sh\numask 077\nexec /etc/exim4/bin/connectord \"$@\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let config = ["--config", "/etc/exim4/connectord.toml", "--mta", "exim"];
    let proof = proved(&practice.lab.machine, "/etc/exim4/bin/connectord-careful", &config);
    failed(&proof, "what is delayed", &[("fallback", &[&NO_TLS[..], &["broken"]].concat())]);
    assert_eq!(verdict(&proof, "encrypted")["verdict"], "holds", "{proof:#}");
    assert_eq!(proof["files"][1]["path"], "/etc/exim4/exim4.conf");
}
