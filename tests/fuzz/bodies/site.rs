//! Connectors of a made-up site, and the answers that they stand for, written down by hand.
//!
//! There are two of it: `partners` alone, where most names are nobody's, and with a connector for `*`, where `NOTFOUND`
//! would be a hole for every name but one.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use connectord::load;
use connectord::snapshot::Snapshot;
use jiff::Timestamp;
use tempfile::TempDir;

use super::naive::{self, Host};

/// What an outbound connector is about and what is said for it.
pub struct Row {
    patterns: &'static [&'static str],
    except: &'static [&'static str],
    /// Of the map `tls`.
    pub tls: &'static str,
    /// Of the map `transport`.
    pub transport: &'static str,
    /// To Exim's `out`.
    pub exim: &'static str,
}

const PINS: &str = "fingerprint match=B1:93:CF:38:46:71:28:91:38:F5:A0:8A:6D:2F:6A:63:5B:8E:6A:CA:FD:2C:A2:79:D5:81:B4:EA:EF:09:5D:10";

static CONTOSO: Row = Row {
    patterns: &["*.contoso.com"],
    except: &["lists.contoso.com", ".lab.contoso.com"],
    tls: "secure match=contoso.com:.contoso.com",
    transport: "smtp:[mail.contoso.com]:587, relay.example",
    exim: "status=ok tls=cert hosts=mail.contoso.com::587:relay.example/MX end=ok",
};
static PINNED: Row = Row {
    patterns: &["pinned.example"],
    except: &[],
    tls: PINS,
    transport: "smtp:[192.0.2.7], [2001:db8::1]:2525",
    exim: "status=ok tls=pin hosts=\"192.0.2.7:[2001::db8::::1]::2525\" end=ok",
};
static OTHERS: [Row; 5] = [
    Row {
        patterns: &["example.com"],
        except: &[],
        tls: "encrypt protocols=>=TLSv1.2",
        transport: "smtp:",
        exim: "status=ok tls=encrypt min=TLSv1.2 end=ok",
    },
    Row {
        patterns: &[".below.example"],
        except: &[],
        tls: "verify",
        transport: "smtp:",
        exim: "status=ok tls=host end=ok",
    },
    Row {
        patterns: &["*.xn--bcher-kva.example"],
        except: &[],
        tls: "dane-only",
        transport: "smtp:",
        exim: "status=ok tls=dane end=ok",
    },
    Row {
        patterns: &["*.partner.example"],
        except: &[],
        tls: "secure match=nexthop:dot-nexthop",
        transport: "smtp:",
        exim: "status=ok tls=cert end=ok",
    },
    Row {
        patterns: &["*.inner.partner.example"],
        except: &[],
        tls: "encrypt",
        transport: "smtp:",
        exim: "status=ok tls=encrypt end=ok",
    },
];
static EVERYONE: Row = Row {
    patterns: &["*"],
    except: &["free.example"],
    tls: "encrypt",
    // Postfix asks for our own users too.
    transport: "",
    exim: "status=ok tls=encrypt end=ok",
};

const PARTNERS: &str = r#"
version = 1

[mta]
postfix = "3.7"
level = "may"
own_domains = ["*.our.example"]

[[outbound]]
name = "contoso"
mode = "enforce"
domains = ["*.contoso.com"]
except = ["lists.contoso.com", ".lab.contoso.com"]
tls = "secure"
match = ["*.contoso.com"]
route = ["[mail.contoso.com]:587", "relay.example"]

[[outbound]]
name = "pinned"
mode = "enforce"
domains = ["pinned.example"]
tls = "fingerprint"
fingerprints = ["sha256:b193cf384671289138f5a08a6d2f6a635b8e6acafd2ca279d581b4eaef095d10"]
route = ["[192.0.2.7]", "[2001:db8::1]:2525"]

[[outbound]]
name = "example"
mode = "enforce"
domains = ["example.com"]
tls = "encrypt"
protocols = ">=TLSv1.2"

[[outbound]]
name = "below"
mode = "enforce"
domains = [".below.example"]
tls = "verify"

[[outbound]]
name = "books"
mode = "enforce"
domains = ["*.bücher.example"]
tls = "dane-only"

[[outbound]]
name = "partner"
mode = "enforce"
domains = ["*.partner.example"]
tls = "secure"
match = "domain"

[[outbound]]
name = "inner"
mode = "enforce"
domains = ["*.inner.partner.example"]
overrides = ["partner"]
tls = "encrypt"

[[outbound]]
name = "trial"
mode = "report"
domains = ["trial.example", "example.com"]
tls = "secure"
match = ["mx.trial.example"]

[[outbound]]
name = "gone"
mode = "off"
domains = ["gone.example"]
tls = "encrypt"

[[inbound]]
name = "partner-in"
mode = "enforce"
identify.domains = ["*.partner.example"]
require.tls = ">=TLSv1.2"
require.certificate.names = ["*.partner.example"]
require.certificate.issuers = ["Lab Partner CA"]
on_violation = "reject"

[[inbound]]
name = "inner-in"
mode = "enforce"
identify.domains = ["*.inner.partner.example"]
overrides = ["partner-in"]
require.tls = true
on_violation = "defer"

[[inbound]]
name = "range-in"
mode = "enforce"
identify.addresses = ["203.0.113.0/24", "2001:db8::/32"]
identify.except_addresses = ["203.0.113.7"]
require.tls = true
on_violation = "defer"

[[inbound]]
name = "registered-in"
mode = "enforce"
identify.domains = ["registered.example"]
require.certificate.files = ["client.pem"]
on_violation = "hold"

[[inbound]]
name = "scoped-in"
mode = "enforce"
identify.domains = ["scoped.example"]
recipients = ["*.our.example"]
require.tls = true
on_violation = "reject"

[[inbound]]
name = "here-in"
mode = "enforce"
identify.domains = ["here.example"]
require.addresses = ["192.0.2.0/24"]
on_violation = "defer"

[[inbound]]
name = "trial-in"
mode = "report"
identify.domains = ["*"]
require.tls = true
on_violation = "reject"
"#;

const AND_EVERYONE: &str = r#"
[[outbound]]
name = "everyone"
mode = "enforce"
domains = ["*"]
except = ["free.example"]
tls = "encrypt"
"#;

/// The certificate that the inbound connector has registered, and its digests as Postfix sends them.
pub const CLIENT: &str = include_str!("../../captures/certificates/good-sans.pem");
/// Of the certificate.
pub const CLIENT_DIGEST: &str =
    "B1:93:CF:38:46:71:28:91:38:F5:A0:8A:6D:2F:6A:63:5B:8E:6A:CA:FD:2C:A2:79:D5:81:B4:EA:EF:09:5D:10";
/// Of its key.
pub const CLIENT_KEY_DIGEST: &str =
    "95:47:14:97:AA:B6:BA:13:B5:40:8D:F7:75:23:0C:4A:7A:5F:25:71:13:CF:61:3D:4C:AB:C6:AD:12:40:E9:44";

/// One of the two, with the rows of its outbound connectors.
pub struct Site {
    /// Compiled.
    pub snapshot: Arc<Snapshot>,
    everyone: bool,
}

/// The time that certificates are judged by: the recorded ones are valid, or expired, or not yet valid.
pub fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().expect("a time")
}

/// Both.
pub fn sites() -> &'static [Site; 2] {
    static SITES: OnceLock<[Site; 2]> = OnceLock::new();
    SITES.get_or_init(|| [compiled(PARTNERS, false), compiled(&format!("{PARTNERS}{AND_EVERYONE}"), true)])
}

fn compiled(text: &str, everyone: bool) -> Site {
    let directory = directory(&[("connectord.toml", text.as_bytes()), ("client.pem", CLIENT.as_bytes())]);
    match load::load(&directory.path().join("connectord.toml"), 1, now()) {
        Ok(ready) => Site { snapshot: ready.snapshot, everyone },
        Err(problems) => panic!("{problems}"),
    }
}

/// A directory with these files, for nobody else. In memory if it can be: a file is written for each input.
pub fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let memory = Path::new("/dev/shm");
    let chosen = std::env::var_os("TMPDIR").is_some();
    let place = if memory.is_dir() && !chosen { memory.to_owned() } else { std::env::temp_dir() };
    let directory = tempfile::tempdir_in(place).expect("a directory for a configuration");
    for (name, bytes) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory in it");
        fs::write(path, bytes).expect("a file in it");
    }
    directory
}

impl Site {
    /// The row that is about a domain: the most specific one that does not except it.
    pub fn row(&self, name: &str) -> Option<&'static Row> {
        let rows = [&CONTOSO, &PINNED].into_iter().chain(&OTHERS);
        let rows = rows.chain(self.everyone.then_some(&EVERYONE));
        let rows = rows.filter(|row| !row.except.iter().any(|pattern| naive::covers(pattern, name)));
        let specific =
            |row: &&Row| row.patterns.iter().filter_map(|pattern| naive::specificity(pattern, name)).max();
        rows.filter(|row| specific(row).is_some()).max_by_key(specific)
    }

    /// What the map `tls` says for a next-hop. A smart host belongs to the connector whose mail goes there.
    pub fn tls(&self, host: &Host) -> Option<&'static str> {
        match host {
            Host::Name(name) if name == "relay.example" => Some(CONTOSO.tls),
            Host::Name(name) => self.row(name).map(|row| row.tls),
            Host::Address(address) => self.of_address(*address).map(|row| row.tls),
        }
    }

    /// What Exim is told for the domain of a recipient. To one that is a smart host the way is its own.
    pub fn exim(&self, host: &Host) -> Option<&'static str> {
        match host {
            Host::Name(name) if name == "relay.example" => Some("status=ok tls=cert end=ok"),
            Host::Name(name) if naive::covers("*.our.example", name) => None,
            Host::Name(name) => self.row(name).map(|row| row.exim),
            Host::Address(address) => self.of_address(*address).map(|row| match row.exim {
                pinned if pinned == PINNED.exim => "status=ok tls=pin end=ok",
                other => other,
            }),
        }
    }

    /// What the map `transport` says for a domain.
    pub fn transport(&self, name: &str) -> Option<&'static str> {
        let own = naive::covers("*.our.example", name);
        self.row(name).filter(|_| !own).map(|row| row.transport).filter(|way| !way.is_empty())
    }

    fn of_address(&self, address: std::net::IpAddr) -> Option<&'static Row> {
        let smart_host = ["192.0.2.7", "2001:db8::1"].contains(&address.to_string().as_str());
        if smart_host { Some(&PINNED) } else { self.everyone.then_some(&EVERYONE) }
    }
}
