//! `connectord new` at a terminal, from the first question to the partner's servers and the running daemon.

use std::fs;

use crate::behaviours::server;
use crate::certificates::Authority;
use crate::examiner::{Absent, Examiner};
use crate::exhibits::Signers;
use crate::forge::{Form, YEAR};
use crate::keyboard::Terminal;
use crate::lab::Lab;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::{POSTFIX_3_10, possible};

#[test]
fn from_the_first_question_to_the_partner_and_the_daemon() {
    if !possible() {
        return;
    }
    let authority = Authority::new("Lab CA");
    let signers = Signers::new(&authority);
    let mut zone = Zone::default();
    zone.mx("contoso.com", "mx1.contoso.com");
    let form = Form { to: Form::server(&[]).from + 2 * YEAR, ..Form::server(&["mx1.contoso.com"]) };
    let starttls = Starttls::Shows(server(&form.issued_by(&signers.root), &[], None));
    let host = Host { name: "mx1.contoso.com".to_owned(), number: 10, starttls };
    let lab: Lab<Absent> = Lab::start(POSTFIX_3_10, &authority, &[host], zone, &[]);
    lab.site.configure("");
    let main = lab.site.configuration();
    let configured = fs::read_to_string(&main).unwrap();
    let included =
        configured.replacen("version = 1\n", "version = 1\ninclude = [\"connectors.d/*.toml\"]\n", 1);
    fs::write(&main, included).unwrap();
    let directory = main.with_file_name("connectors.d");
    fs::create_dir(&directory).unwrap();
    let _daemon = lab.site.serve();

    let mut terminal = lab.network.ours.enter(|| Terminal::start(&Examiner::of(&lab).program(&["new"])));
    terminal.answer("[outbound]: ", "");
    terminal.answer("The partner's domains: ", "*.contoso.com");
    terminal.answer("[contoso.com]: ", "contoso-bank");
    terminal.answer("for people [none]: ", "");
    terminal.answer("at the partner [none]: ", "");
    terminal.answer("[mx]: ", "");
    terminal.answer("TLS [secure]: ", "");
    terminal.answer("certificate may show [*.contoso.com]: ", "");
    terminal.answer("Mode [report]: ", "enforce");
    terminal.read("added    contoso-bank: ");
    terminal.answer("contoso-bank.toml? [yes]: ", "");
    terminal.answer("No mail is sent [yes]: ", "");
    terminal.read("contoso-bank: mx1.contoso.com 192.0.2.10: passes");
    terminal.answer("Let the running daemon load it now? [no]: ", "yes");
    terminal.read("reloaded as generation 2");
    let (code, text) = terminal.end();
    assert_eq!(code, 0, "{text}");
    let written = fs::read_to_string(directory.join("contoso-bank.toml")).unwrap();
    assert!(written.contains("mode    = \"enforce\"\n"), "{written}");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}
