//! `doctor exim` about mail that comes in: on a real Exim each fault lets mail pass that a connector stops, or stops mail
//! that does what was agreed; `doctor` names it, its commands are run as printed, and then all is as agreed.

use std::io;
use std::net::IpAddr;

use rustls::ALL_VERSIONS;

use crate::certificates::{Authority, Credentials, Subject};
use crate::client::{Client, tls};
use crate::condition::wait_for;
use crate::exim_practice::Practice;
use crate::lab::Lab;
use crate::network::{OURS, partner_address};
use crate::on_each_exim;
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[inbound]]
name = "tls"
mode = "enforce"
identify.domains = ["tls.example"]
require.tls = true
on_violation = "reject"

[[inbound]]
name = "scoped"
mode = "enforce"
identify.domains = ["scoped.example"]
recipients = ["ours.example"]
require.tls = true
on_violation = "reject"

[[inbound]]
name = "named"
mode = "enforce"
identify.domains = ["named.example"]
require.certificate.names = ["mail.contoso.example"]
on_violation = "reject"
"#;

const ALL: &[&str] = &["tls", "scoped", "named"];

/// What a client does about TLS.
#[derive(Clone, Copy)]
enum Visitor {
    Plaintext,
    /// The same, and the message comes by BDAT.
    Chunking,
    /// Over TLS if it is offered.
    Anonymous,
    /// The same, with the certificate that was agreed.
    Named,
}

/// A fault, and what shows it.
struct Fault {
    id: &'static str,
    place: &'static str,
    connectors: &'static [&'static str],
    /// What makes it, for a shell in /etc/exim4.
    made_by: &'static str,
    visitor: Visitor,
    /// The sender's domain, and what it is told with the fault and without.
    domain: &'static str,
    with: &'static str,
    without: &'static str,
}

const ORDINARY: Fault = Fault {
    id: "exim-acl-missing",
    place: "acl_smtp_rcpt = acl_check_rcpt",
    connectors: ALL,
    made_by: "",
    visitor: Visitor::Plaintext,
    domain: "tls.example",
    with: "250",
    without: "530 5.7.0",
};

/// The site's own macros.
const SET: &str = "conf.d/main/000_localmacros";

const FAULTS: &[Fault] = &[
    Fault { made_by: "sed -i /MAIN_ACL/d conf.d/main/00_connectord", ..ORDINARY },
    Fault {
        place: "acl_smtp_rcpt = acl_lab_rcpt",
        made_by: "sed -i /MAIN_ACL/d conf.d/main/00_connectord; echo 'MAIN_ACL_CHECK_RCPT = acl_lab_rcpt' >> $SET",
        ..ORDINARY
    },
    Fault {
        connectors: &["scoped"],
        made_by: "sed -i /MAIN_ACL_CHECK_RCPT/d conf.d/main/00_connectord",
        domain: "scoped.example",
        ..ORDINARY
    },
    Fault {
        place: "acl_smtp_rcpt = acl_connectord_rcpt",
        connectors: &["scoped"],
        made_by: "sed -i 's/acl_connectord_judge \" recipient=.*/acl_connectord_judge/' connectord/acl",
        domain: "scoped.example",
        ..ORDINARY
    },
    Fault {
        made_by: "sed -i /MAIN_ACL/d conf.d/main/00_connectord; \
                  echo 'acl_smtp_predata = acl_connectord_judge' >> $SET",
        visitor: Visitor::Chunking,
        ..ORDINARY
    },
    Fault {
        id: "exim-acl-late",
        place: "ACL acl_connectord_judge: accept hosts = 192.0.2.0/24",
        made_by: "sed -i '/^acl_connectord_judge:/a accept hosts = 192.0.2.0/24' connectord/acl",
        ..ORDINARY
    },
    Fault {
        id: "exim-acl-late",
        place: "ACL acl_connectord_judge: defer hosts = 203.0.113.0/24",
        made_by: "sed -i 's/^    set acl_m_connectord/    hosts = 203.0.113.0\\/24\\n&/; \
                  s/{pass}{no}{yes}/{hold}/' connectord/acl",
        ..ORDINARY
    },
    // What the daemon refuses is refused in an ACL whose refusal is not heard.
    Fault {
        id: "exim-acl-answer",
        place: "ACL acl_connectord_rcpt: warn acl = acl_connectord_judge \" recipient=${quote:$local_part@$domain}\"",
        made_by: "sed -i 's/^  require acl = acl_connectord_judge/  warn acl = acl_connectord_judge/' connectord/acl",
        ..ORDINARY
    },
    // Nobody looks at what the daemon says, but for its being whole.
    Fault {
        id: "exim-acl-answer",
        place: "ACL acl_connectord_judge: defer set acl_m_c = ${readsocket{/run/connectord/exim.sock}\
                {in ip=$sender_host_address sender=${quote:$sender_address}\\n}{3s}{ }{end=no}}",
        made_by: "sed -i '/^acl_connectord_judge:/,$d' connectord/acl; printf '%s\\n' acl_connectord_judge: \
                  ' defer set acl_m_c = ${readsocket{CONNECTORD_SOCKET}\
                  {in ip=$sender_host_address sender=${quote:$sender_address}\\n}{3s}{ }{end=no}}' \
                  '  condition = ${if eq{${extract{end}{$acl_m_c}}}{ok}{no}{yes}}' ' accept' >> connectord/acl",
        ..ORDINARY
    },
    Fault {
        id: "exim-socket-path",
        place: "CONNECTORD_SOCKET = /run/connectord/other.sock",
        made_by: "echo 'CONNECTORD_SOCKET = /run/connectord/other.sock' >> $SET",
        with: "451 4.3.5",
        ..ORDINARY
    },
    Fault {
        id: "exim-socket-access",
        place: "CONNECTORD_SOCKET = /run/connectord/exim.sock",
        // Where others can write on the way, no command is printed.
        made_by: "chmod 755 /run; chgrp root /run/connectord/exim.sock",
        with: "451 4.3.5",
        ..ORDINARY
    },
    Fault {
        id: "exim-socket-access",
        place: "CONNECTORD_SOCKET = /run/connectord/exim.sock",
        // What is somebody else's is given by him.
        made_by: "chown -R daemon:daemon /run/connectord",
        with: "451 4.3.5",
        ..ORDINARY
    },
    Fault {
        id: "exim-no-starttls",
        place: "tls_advertise_hosts = ",
        made_by: "echo 'MAIN_TLS_ADVERTISE_HOSTS =' >> $SET",
        visitor: Visitor::Anonymous,
        with: "530 5.7.0",
        without: "250",
        ..ORDINARY
    },
    Fault {
        id: "exim-client-certificate",
        place: "tls_try_verify_hosts = ",
        connectors: &["named"],
        made_by: "echo 'MAIN_TLS_TRY_VERIFY_HOSTS =' >> $SET",
        visitor: Visitor::Named,
        domain: "named.example",
        with: "550 5.7.1",
        without: "250",
    },
];

/// ACLs that go on when nobody answers.
const UNHEARD: &[Fault] = &[
    Fault {
        id: "exim-acl-answer",
        place: "ACL acl_connectord_judge: warn set acl_m_c = ${readsocket{/run/connectord/exim.sock}\
                {in ip=$sender_host_address sender=${quote:$sender_address}\\n}{3s}{ }}",
        made_by: "sed -i '/^acl_connectord_judge:/,$d' connectord/acl; printf '%s\\n' acl_connectord_judge: \
                  ' warn set acl_m_c = ${readsocket{CONNECTORD_SOCKET}\
                  {in ip=$sender_host_address sender=${quote:$sender_address}\\n}{3s}{ }}' \
                  ' deny condition = ${if eq{${extract{action}{$acl_m_c}}}{deny}}' ' accept' >> connectord/acl",
        without: "451 4.3.5",
        ..ORDINARY
    },
    Fault {
        id: "exim-acl-answer",
        place: "ACL acl_connectord_judge: deny set acl_m_c = ${readsocket{/run/connectord/exim.sock}\
                {in ip=$sender_host_address sender=${quote:$sender_address}\\n}{3s}{ }{end=no}}",
        made_by: "sed -i '/^acl_connectord_judge:/,$d' connectord/acl; printf '%s\\n' acl_connectord_judge: \
                  ' deny set acl_m_c = ${readsocket{CONNECTORD_SOCKET}\
                  {in ip=$sender_host_address sender=${quote:$sender_address}\\n}{3s}{ }{end=no}}' \
                  '  condition = ${if eq{${extract{action}{$acl_m_c}}}{deny}}' ' accept' >> connectord/acl",
        without: "451 4.3.5",
        ..ORDINARY
    },
];

struct Site {
    practice: Practice,
    named: Credentials,
}

impl Site {
    fn open(release: Release) -> Site {
        let authority = Authority::new("Lab CA");
        let named = authority.issue(Subject::client(&"mail.contoso.example"));
        let practice = Practice::new(Lab::start(release, &authority, &[], Zone::default(), &["queue_only"]));
        practice.agree(CONNECTORS);
        Site { practice, named }
    }

    /// The first refusal, or what is said at the end. Exim may be about to begin anew.
    fn told(&self, visitor: Visitor, domain: &str) -> io::Result<String> {
        let network = &self.practice.lab.network.partner;
        let mut client = Client::try_connect(network, partner_address(77), IpAddr::V4(OURS))?;
        let greeting = client.try_ask("EHLO mail.contoso.example")?;
        let credentials = match visitor {
            Visitor::Named => Some(&self.named),
            Visitor::Plaintext | Visitor::Chunking | Visitor::Anonymous => None,
        };
        if matches!(visitor, Visitor::Anonymous | Visitor::Named) && greeting.contains("STARTTLS") {
            client = client.starttls(&tls(credentials, ALL_VERSIONS));
            client.try_ask("EHLO mail.contoso.example")?;
        }
        for command in [format!("MAIL FROM:<bob@{domain}>"), "RCPT TO:<carol@ours.example>".to_owned()] {
            let reply = client.try_ask(&command)?;
            if !reply.starts_with("250") {
                return Ok(reply);
            }
        }
        Ok(if matches!(visitor, Visitor::Chunking) { client.chunk() } else { client.data() })
    }

    #[track_caller]
    fn is_told(&self, fault: &Fault, expected: &str) {
        wait_for(fault.id, || {
            let reply = self.told(fault.visitor, fault.domain).map_err(|error| error.to_string())?;
            if reply.starts_with(expected) { Ok(()) } else { Err(format!("{expected}: {reply}")) }
        });
    }

    fn make(&self, fault: &Fault) {
        let made_by = fault.made_by.replace("$SET", SET);
        let reload = "update-exim4.conf; systemctl reload exim4";
        self.practice.shell(&format!("cd /etc/exim4; {made_by}; {reload}"));
        self.is_told(fault, fault.with);
    }

    /// With the fault, `doctor` finds it, its commands mend it, and then it is gone.
    fn suffers_and_heals(&self, fault: &Fault) {
        self.practice.with_files_restored(|| {
            self.make(fault);
            self.practice.is_mended(fault.id, fault.place, fault.connectors);
            self.is_told(fault, fault.without);
        });
    }
}

fn x2_settings(release: Release) {
    let site = Site::open(release);
    let _daemon = site.practice.lab.site.serve();
    site.practice.is_well();
    for fault in FAULTS {
        site.suffers_and_heals(fault);
    }
    // Exempt clients may pass.
    site.practice.with_files_restored(|| {
        site.practice.shell(
            "cd /etc/exim4; sed -i '/^acl_connectord_judge:/a accept hosts = +relay_from_hosts' connectord/acl; \
             update-exim4.conf",
        );
        site.practice.is_well();
    });
}

/// A daemon that is away: found as such, and then whatever does not wait for it.
fn x2_away(release: Release) {
    let site = Site::open(release);
    let place = "CONNECTORD_SOCKET = /run/connectord/exim.sock";
    site.practice.finds("exim-socket-access", place, ALL);
    assert!(site.told(Visitor::Plaintext, "tls.example").unwrap().starts_with("451 4.3.5"));
    for fault in UNHEARD {
        site.practice.with_files_restored(|| {
            site.make(fault);
            let daemon = site.practice.lab.site.serve();
            site.practice.is_mended(fault.id, fault.place, fault.connectors);
            assert!(daemon.stop().success());
            site.is_told(fault, fault.without);
        });
    }
}

/// A certificate that is not there, which no command can mend.
fn x2_no_certificate(release: Release) {
    let site = Site::open(release);
    let _daemon = site.practice.lab.site.serve();
    site.practice.shell(
        "sed -i 's|^MAIN_TLS_CERTIFICATE.*|MAIN_TLS_CERTIFICATE = /etc/exim4/tls/none.pem|' \
         /etc/exim4/conf.d/main/000_localmacros; update-exim4.conf; systemctl reload exim4",
    );
    wait_for("STARTTLS to fail", || {
        let network = &site.practice.lab.network.partner;
        let ask = || {
            let mut client = Client::try_connect(network, partner_address(77), IpAddr::V4(OURS))?;
            client.try_ask("EHLO mail.contoso.example")?;
            client.try_ask("STARTTLS")
        };
        let reply = ask().map_err(|error: io::Error| error.to_string())?;
        if reply.starts_with("454") { Ok(()) } else { Err(reply) }
    });
    let finding = site.practice.finds("exim-no-starttls", "tls_certificate = /etc/exim4/tls/none.pem", ALL);
    assert_eq!(finding["mend"].as_array().map(Vec::len), Some(0));
}

/// What the log says of a message that came over TLS.
fn x2_log(release: Release) {
    let site = Site::open(release);
    let _daemon = site.practice.lab.site.serve();
    let fault = Fault {
        id: "exim-log-selector",
        place: "log_selector = -tls_cipher -tls_certificate_verified",
        made_by: "echo 'MAIN_LOG_SELECTOR = -tls_cipher -tls_certificate_verified' >> $SET",
        visitor: Visitor::Named,
        domain: "named.example",
        ..ORDINARY
    };
    let evidence = || {
        let log = site.practice.lab.mta.log(&site.practice.lab.machine);
        let last = log.lines().rfind(|line| line.contains(" <= bob@named.example ")).unwrap().to_owned();
        [" X=TLS", " CV=yes"].map(|part| last.contains(part))
    };
    site.make(&fault);
    wait_for("a message without evidence", || {
        site.is_told(&fault, "250");
        let seen = evidence();
        if seen == [false; 2] { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    site.practice.is_mended(fault.id, fault.place, fault.connectors);
    wait_for("a message with evidence", || {
        site.is_told(&fault, "250");
        let seen = evidence();
        if seen == [true; 2] { Ok(()) } else { Err(format!("{seen:?}")) }
    });
}

on_each_exim!(x2_settings, x2_away, x2_no_certificate, x2_log);
