//! `doctor exim` about what keeps partners at one host apart: without it, one's answer or failure counts for another.

use crate::condition::wait_for;
use crate::doctor_exim::{ALL, OLD, TOO_OLD, practice};
use crate::exim::Exim;
use crate::exim_practice::Practice;
use crate::lab::{Lab, fates};
use crate::on_each_exim;
use crate::root::Release;

/// A line of the options that our transports share is missing.
struct Missing {
    id: &'static str,
    option: &'static str,
    value: &'static str,
}

const SHARED: &str =
    "transport connectord_encrypt, connectord_host, connectord_cert, connectord_pin, connectord_dane";

/// Without it, `with` is the case, and `without` when it is mended.
fn without_option(practice: &Practice, missing: &Missing, with: impl FnOnce(), without: impl FnOnce()) {
    let Missing { id, option, value } = missing;
    practice.with_files_restored(|| {
        practice.shell(&format!(
            "sed -i '/^{option}/d' /etc/exim4/connectord/transport-options; update-exim4.conf"
        ));
        practice.forget();
        with();
        practice.is_mended(id, &format!("{SHARED}: {option} = {value}"), ALL);
        practice.forget();
        without();
    });
}

/// What one domain's answer says holds for the next one's mail: in one transaction, or over one connection.
fn x2_together(release: Release) {
    let practice = practice(release);
    let _daemon = practice.lab.site.serve();
    let lab = &practice.lab;
    let one_message = |user: &str, fate: &str| {
        let recipients = ["lax", "modern"].map(|domain| format!("{user}@{domain}.example"));
        lab.enqueue("sender@ours.example", &recipients.each_ref().map(String::as_str));
        lab.machine.run("exim4", &["-qff"]);
        lab.met(&fates([(recipients[0].as_str(), OLD), (recipients[1].as_str(), fate)]));
    };
    let missing = Missing { id: "exim-multi-domain", option: "multi_domain", value: "true" };
    without_option(&practice, &missing, || one_message("with", OLD), || one_message("without", TOO_OLD));

    let messages = |user: &str, fate: &str| {
        let recipients = ["lax", "modern"].map(|domain| format!("{user}@{domain}.example"));
        for recipient in &recipients {
            lab.enqueue("sender@ours.example", &[recipient]);
        }
        lab.machine.run("exim4", &["-qqff"]);
        lab.met(&fates([(recipients[0].as_str(), OLD), (recipients[1].as_str(), fate)]));
    };
    let missing = Missing { id: "exim-connection-reuse", option: "connection_max_messages", value: "500" };
    without_option(&practice, &missing, || messages("with2", OLD), || messages("without2", TOO_OLD));
}

/// Mail that is sent a second after a failure gets through; Exim counts in seconds.
fn later(lab: &Lab<Exim>, user: &str, domain: &str) {
    let mut number = 0;
    wait_for("a second later", || {
        number += 1;
        let recipient = format!("{user}.{number}@{domain}");
        lab.send_now(&recipient);
        let fate = &lab.fates(&[recipient.clone()].into())[&recipient];
        if fate.is(OLD) { Ok(()) } else { Err(fate.note()) }
    });
}

/// What Exim remembers of a host after one connector's failure.
fn x2_retry(release: Release) {
    const LATE: &str = "D retry time not reached for any host";
    const RETURNED: &str = "B all hosts for ";
    const RECORD: &str = "T:mx.old.example:192.0.2.14";
    let practice = practice(release);
    let _daemon = practice.lab.site.serve();
    let lab = &practice.lab;
    practice.with_files_restored(|| {
        practice.shell("rm /etc/exim4/conf.d/retry/05_connectord; update-exim4.conf");
        lab.send_now_expecting("with@modern.example", TOO_OLD);
        lab.send_now_expecting("with@lax.example", LATE);
        practice.is_mended("exim-retry", "begin retry: * * F,2h,15m; G,16h,1h,1.5; F,4d,6h", ALL);
        practice.forget();
        lab.send_now_expecting("without@modern.example", TOO_OLD);
        later(lab, "without", "lax.example");
    });

    // After days of failures.
    let failed = |record: &str, failing: &str, next: &str, fate: &str| {
        lab.send_now_expecting(failing, TOO_OLD);
        lab.expire_record(record);
        lab.send_now_expecting(next, fate);
    };
    let ours = format!("{RECORD}/0.0.0.0");
    without_option(
        &practice,
        &Missing { id: "exim-retry", option: "interface", value: "" },
        || failed(RECORD, "with3@modern.example", "with3@free.example", RETURNED),
        || failed(&ours, "without3@modern.example", "without3@free.example", OLD),
    );
    without_option(
        &practice,
        &Missing { id: "exim-retry", option: "delay_after_cutoff", value: "true" },
        || failed(&ours, "with4@modern.example", "with4@lax.example", RETURNED),
        || {
            lab.send_now_expecting("without4@modern.example", TOO_OLD);
            lab.expire_record(&ours);
            later(lab, "without4", "lax.example");
        },
    );
}

on_each_exim!(x2_together, x2_retry);
