//! `import exchange`: every way in which Exchange demands TLS, in each format, as the connector that comes of it.
//!
//! The rows are what Exchange has; [`Expected`] is what they are here, by hand. Whoever shows that they become the same
//! settings of Exchange again has the rows, and the file that came of them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::bench::{Bench, Ended};

/// What Exchange has.
#[derive(Clone, Copy, Debug)]
struct Row {
    number: usize,
    settings: Option<&'static str>,
    /// A pattern with `#` for the row's own domain.
    tls_domain: Option<&'static str>,
    smart_hosts: &'static [&'static str],
    enabled: bool,
}

/// What it is here.
#[derive(Debug, PartialEq)]
struct Expected {
    mode: &'static str,
    requirement: String,
    route: String,
    /// The answer to Postfix, when it is in force.
    policy: String,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for settings in [None, Some("EncryptionOnly"), Some("CertificateValidation"), Some("DomainValidation")] {
        for tls_domain in [None, Some("mail.#"), Some("*.#")] {
            for smart_hosts in [&[][..], &["mx.#"], &["a.#", "b.#"], &["192.0.2.@"]] {
                for enabled in [true, false] {
                    rows.push(Row { number: rows.len(), settings, tls_domain, smart_hosts, enabled });
                }
            }
        }
    }
    rows
}

impl Row {
    fn domain(self) -> String {
        format!("n{}.example", self.number)
    }

    /// A text of the row with its domain and number in it.
    fn own(self, text: &str) -> String {
        text.replace('#', &self.domain()).replace('@', &self.number.to_string())
    }

    fn json(self) -> Value {
        json!({
            "Enabled": self.enabled,
            "UseMXRecord": self.smart_hosts.is_empty(),
            "Comment": "",
            "ConnectorType": "Partner",
            "ConnectorSource": "AdminUI",
            "RecipientDomains": [self.domain()],
            "SmartHosts": self.smart_hosts.iter().map(|host| self.own(host)).collect::<Vec<_>>(),
            "TlsDomain": self.tls_domain.map(|domain| self.own(domain)),
            "TlsSettings": self.settings,
            "IsTransportRuleScoped": false,
            "RouteAllMessagesViaOnPremises": false,
            "CloudServicesMailEnabled": false,
            "AllAcceptedDomains": false,
            "SenderRewritingEnabled": false,
            "MtaStsMode": "Opportunistic",
            "SmtpDaneMode": "Opportunistic",
            "TestMode": false,
            "ValidationRecipients": [],
            "IsValidated": true,
            "LastValidationTimestamp": "2026-07-24T18:59:12.0000000",
            "Name": format!("Row {}", self.number),
            "WhenChangedUTC": "2026-07-24T19:01:54.0000000Z",
            "Guid": format!("11111111-2222-3333-4444-{:012}", self.number),
        })
    }

    fn expected(self) -> Expected {
        let domain = self.domain();
        let hosts: Vec<String> =
            self.smart_hosts.iter().map(|host| format!("[{}]", self.own(host))).collect();
        let routed = !hosts.is_empty();
        let host = "the name of the MX host";
        let (requirement, policy) = match (self.settings, self.tls_domain) {
            (None, _) => ("dane".to_owned(), "dane".to_owned()),
            (Some("EncryptionOnly"), _) => ("encrypt".to_owned(), "encrypt".to_owned()),
            (Some("CertificateValidation"), _) => (format!("verify, {host}"), "verify".to_owned()),
            (Some(_), Some("*.#")) => {
                (format!("secure, *.{domain}"), format!("secure match={domain}:.{domain}"))
            }
            (Some(_), Some(name)) => {
                let name = self.own(name);
                (format!("secure, {name}"), format!("secure match={name}"))
            }
            (Some(_), None) => (format!("secure, {domain}"), format!("secure match={domain}")),
        };
        Expected {
            mode: if self.enabled { "report" } else { "off" },
            requirement,
            route: if routed { hosts.join(", ") } else { "mx".to_owned() },
            policy,
        }
    }
}

/// As `ConvertTo-Json` writes it.
fn json(rows: &[Row]) -> String {
    let all: Vec<Value> = rows.iter().map(|row| row.json()).collect();
    serde_json::to_string_pretty(&all).unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// As `Export-Clixml` writes it: in `Props` with enumerations as objects, or, as of objects that came over REST, in `MS`
/// with their words alone.
fn clixml(rows: &[Row], properties: &str) -> String {
    let mut xml =
        "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">\r\n".to_owned();
    let mut id = 0;
    for row in rows {
        let object = row.json();
        let name = object["Name"].as_str().unwrap();
        let _ = write!(
            xml,
            "  <Obj RefId=\"{id}\">\r\n    <TN RefId=\"0\"><T>x</T></TN>\r\n    <ToString>{name}</ToString>\r\n    <{properties}>\r\n"
        );
        id += 1;
        for (name, value) in object.as_object().unwrap() {
            let _ = match value {
                Value::Null => write!(xml, "      <Nil N=\"{name}\" />\r\n"),
                Value::Bool(flag) => write!(xml, "      <B N=\"{name}\">{flag}</B>\r\n"),
                Value::Array(texts) => {
                    id += 1;
                    let list = if properties == "Props" { "LST" } else { "IE" };
                    let texts: String =
                        texts.iter().map(|text| format!("<S>{}</S>", text.as_str().unwrap())).collect();
                    write!(
                        xml,
                        "      <Obj N=\"{name}\" RefId=\"{id}\"><TNRef RefId=\"1\" /><{list}>{texts}</{list}></Obj>\r\n"
                    )
                }
                Value::String(word) if name == "TlsSettings" && properties == "Props" => {
                    id += 1;
                    write!(
                        xml,
                        "      <Obj N=\"{name}\" RefId=\"{id}\"><TNRef RefId=\"2\" /><ToString>{word}</ToString><I32>1</I32></Obj>\r\n"
                    )
                }
                Value::String(text) => write!(xml, "      <S N=\"{name}\">{text}</S>\r\n"),
                Value::Number(_) | Value::Object(_) => panic!("{name}: {value}"),
            };
        }
        id += 1;
        let _ = write!(xml, "    </{properties}>\r\n  </Obj>\r\n");
    }
    xml.push_str("</Objs>");
    xml
}

/// Imports a file, and has the result as the configuration.
fn imported(bench: &Bench, name: &str, bytes: &[u8]) -> Ended {
    std::fs::write(bench.path(name), bytes).unwrap();
    let ended = bench.run(&["import", "exchange", bench.path(name).to_str().unwrap()]).expect(0);
    bench.write("connectord.toml", &ended.stdout);
    ended
}

#[test]
fn every_demand_of_exchange_has_its_connector_in_every_format() {
    let rows = rows();
    assert_eq!(rows.len(), 4 * 3 * 4 * 2);
    let json = json(&rows);
    let formats = [
        ("e.json", json.clone().into_bytes()),
        ("bom.json", format!("\u{feff}{json}").into_bytes()),
        ("utf16.json", utf16(&json)),
        ("props.xml", utf16(&clixml(&rows, "Props"))),
        ("ms.xml", clixml(&rows, "MS").into_bytes()),
    ];
    let mut files = Vec::new();
    for (name, bytes) in formats {
        let bench = Bench::new("");
        let ended = imported(&bench, name, &bytes);
        let checked = bench.run(&["check"]).expect(0);
        assert!(checked.stdout.contains(": good, 96 connectors, 0 enforced, "), "{checked:?}");
        let list = bench.run(&["list", "--json"]).expect(0).json();
        for (row, entry) in rows.iter().zip(list.as_array().unwrap()) {
            let expected = row.expected();
            let told = |key: &str| entry[key].as_str().unwrap().to_owned();
            assert_eq!(told("name"), format!("Row {}", row.number), "{name}");
            assert_eq!(entry["domains"], json!([row.domain()]), "{name} {row:?}");
            assert_eq!(told("mode"), expected.mode, "{name} {row:?}");
            assert_eq!(told("requirement"), expected.requirement, "{name} {row:?}");
            assert_eq!(told("route"), expected.route, "{name} {row:?}");
        }
        // Behind the first line, which names the file.
        files.push(ended.stdout.split_once("\nversion").unwrap().1.to_owned());
    }
    assert!(files.windows(2).all(|pair| pair[0] == pair[1]), "the formats say the same");
}

/// What comes of it can be put in force as it is, and then demands what is written above.
#[test]
fn what_is_imported_can_be_put_in_force() {
    let rows = rows();
    let bench = Bench::new("");
    let text = imported(&bench, "e.json", json(&rows).as_bytes()).stdout;
    for mode in ["report", "off"] {
        assert!(text.contains(&format!("\"{mode}\"\n")), "{mode}");
    }
    bench.write(
        "connectord.toml",
        &text.replace("\"report\"\n", "\"enforce\"\n").replace("\"off\"\n", "\"enforce\"\n"),
    );
    let checked = bench.run(&["check"]).expect(0);
    assert!(checked.stdout.contains(": good, 96 connectors, 96 enforced, "), "{checked:?}");
    let table = bench.run(&["export", "postfix", "--map", "tls"]).expect(0).stdout;
    for row in rows {
        let line = format!("{} {}", row.domain(), row.expected().policy);
        assert!(table.lines().any(|known| known == line), "{line}\n{table}");
    }
}

impl Row {
    /// What `New-OutboundConnector` has to be told to make the row's connector. `TlsDomain` counts with DomainValidation
    /// alone; without it the certificate is compared with the recipient's domain.
    fn cmdlet(self) -> String {
        let listed = |texts: Vec<String>| format!("'{}'", texts.join("', '"));
        let mut parameters = vec![
            format!("-Name 'Row {}'", self.number),
            "-ConnectorType Partner".to_owned(),
            format!("-RecipientDomains '{}'", self.domain()),
            format!("-UseMXRecord ${}", self.smart_hosts.is_empty()),
        ];
        if !self.smart_hosts.is_empty() {
            let hosts = self.smart_hosts.iter().map(|host| self.own(host)).collect();
            parameters.push(format!("-SmartHosts {}", listed(hosts)));
        }
        // Without TlsSettings what is left of the export's demands is its DANE.
        parameters.push(match self.settings {
            Some(settings) => format!("-TlsSettings {settings}"),
            None => "-SmtpDaneMode Opportunistic".to_owned(),
        });
        if self.settings == Some("DomainValidation") {
            let compared = self.tls_domain.map_or_else(|| self.domain(), |domain| self.own(domain));
            parameters.push(format!("-TlsDomain '{compared}'"));
        }
        parameters.push(format!("-Enabled ${}", self.enabled));
        format!("New-OutboundConnector {}", parameters.join(" "))
    }
}

/// There and back: Exchange, TOML, `check`, and the terms of Exchange again, for every row in every format.
#[test]
fn what_is_imported_is_the_same_in_exchange_again() {
    let rows = rows();
    let json = json(&rows);
    for (name, bytes) in [
        ("e.json", json.clone().into_bytes()),
        ("utf16.json", utf16(&json)),
        ("props.xml", utf16(&clixml(&rows, "Props"))),
        ("ms.xml", clixml(&rows, "MS").into_bytes()),
    ] {
        let bench = Bench::new("");
        imported(&bench, name, &bytes);
        bench.run(&["check"]).expect(0);
        let names: Vec<String> = rows.iter().map(|row| format!("Row {}", row.number)).collect();
        let mut arguments = vec!["partner-kit", "--for", "exchange-online", "--side", "ours"];
        arguments.extend(names.iter().map(String::as_str));
        let kit = bench.run(&arguments).expect(0).stdout;
        let lines = kit.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let words: Vec<&str> = lines.map(|line| line.trim().trim_end_matches(" `")).collect();
        let text = words.join(" ").replace(" New-OutboundConnector", "\nNew-OutboundConnector");
        let found: Vec<&str> = text.lines().collect();
        let expected: Vec<String> = rows.iter().map(|row| row.cmdlet()).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn what_is_lost_stands_above_the_connector_and_in_the_summary() {
    let bench = Bench::new("");
    let rows = rows();
    let disabled =
        rows.iter().find(|row| !row.enabled && row.settings == Some("CertificateValidation")).unwrap();
    let ended = imported(&bench, "e.json", json(&[*disabled]).as_bytes());
    let (comments, connector) = ended.stdout.split_once("[[outbound]]").unwrap();
    for words in [
        "# Off: Exchange has it disabled.",
        "# CertificateValidation takes a trusted certificate of any name",
    ] {
        assert!(comments.contains(words), "{ended:?}");
    }
    assert!(connector.contains("\"off\""), "{ended:?}");
    for words in [
        "note: Row 49: Off: Exchange has it disabled.\n",
        "1 connector imported, 3 to look at, 0 not imported\n",
        "-IsTransportRuleScoped $true",
    ] {
        assert!(ended.stderr.contains(words), "{words}\n{ended:?}");
    }
}

#[test]
fn what_cannot_be_imported_is_told_and_the_rest_is_there() {
    let bench = Bench::new("");
    let rows = rows();
    let mut lost = rows[1].json();
    lost["RecipientDomains"] = json!("System.String[]");
    lost["Name"] = json!("lost\u{1b}[31m");
    let path = bench.write("e.json", &serde_json::to_string_pretty(&json!([lost, rows[0].json()])).unwrap());
    let path = path.to_str().unwrap();
    let ended = bench.run(&["import", "exchange", path]).expect(1);
    assert!(ended.stdout.contains("\"Row 0\"") && !ended.stdout.contains("Row 1"), "{ended:?}");
    let line = ended.stderr.lines().find(|line| line.starts_with("not imported: ")).unwrap();
    assert!(line.contains("e.json:15: lost\\u{1b}[31m: `RecipientDomains` is \"System.String[]\""), "{line}");
    assert!(line.contains("`Get-OutboundConnector | Export-Clixml FILE`"), "{line}");
    assert!(ended.stderr.contains("1 connector imported, "), "{ended:?}");
}

#[test]
fn files_that_are_not_there_and_options_that_are_not() {
    let bench = Bench::new("");
    let missing = bench.path("missing.json").display().to_string();
    let good = bench.write("good.json", "[]").display().to_string();
    let ended = bench.run(&["import", "exchange", &good, &missing]).expect(66);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("missing.json"), "{ended:?}");
    bench.run(&["import", "exchange"]).expect(64);
    bench.run(&["import", "exchange", bench.path("run").to_str().unwrap()]).expect(64);
    bench.run(&["import", "exchange", &good, "--json"]).expect(64);
    let empty = bench.run(&["import", "exchange", &good]).expect(0);
    assert!(empty.stderr.contains("0 connectors imported"), "{empty:?}");
}
