//! `doctor` about what smtpd(8) does while the daemon does not answer: on a real Postfix without one mail passes that a
//! connector stops, and is refused for now when the commands were run.

use crate::doctor_inbound::{ORDINARY, open, told};
use crate::on_each_postfix;
use crate::root::Release;

/// What lets mail pass while there is no daemon: arguments of postconf(1) that make it so, and where that is found.
const AWAY: [(&[&str], &[&str]); 4] = [
    (
        &["-e", "smtpd_policy_service_default_action=DUNNO"],
        &["main.cf: smtpd_policy_service_default_action = DUNNO"],
    ),
    (
        &["-P", "smtp/inet/smtpd_policy_service_default_action=DUNNO"],
        &["master.cf: smtp/inet: smtpd_policy_service_default_action = DUNNO"],
    ),
    (
        &[
            "-e",
            "smtpd_recipient_restrictions=check_policy_service { unix:connectord/policy.sock, default_action=DUNNO }",
            "smtpd_data_restrictions=check_policy_service { unix:connectord/policy.sock default_action=OK }",
        ],
        &[
            "main.cf: smtpd_recipient_restrictions = \
             check_policy_service { unix:connectord/policy.sock, default_action=DUNNO }",
            "main.cf: smtpd_data_restrictions = check_policy_service { unix:connectord/policy.sock default_action=OK }",
        ],
    ),
    (
        &[
            "-e",
            "smtpd_sender_restrictions=check_policy_service { unix:connectord/policy.sock, { default_action = DUNNO } }",
            "smtpd_recipient_restrictions=",
            "smtpd_data_restrictions=check_policy_service { unix:connectord/policy.sock, default_action=DUNNO }",
        ],
        &[
            "main.cf: smtpd_sender_restrictions = \
             check_policy_service { unix:connectord/policy.sock, { default_action = DUNNO } }",
            "main.cf: smtpd_data_restrictions = \
             check_policy_service { unix:connectord/policy.sock, default_action=DUNNO }",
        ],
    ),
];

fn x2_away(release: Release) {
    let (practice, wallet) = open(release);
    for (made_by, places) in AWAY {
        practice.with_settings_restored(|| {
            practice.postconf(made_by);
            let reply = told(&practice, &wallet, &ORDINARY);
            assert!(reply.starts_with("250"), "{made_by:?}: {reply}");
            let daemon = practice.serve();
            practice.are_mended("postfix-policy-service-action", places);
            let reply = told(&practice, &wallet, &ORDINARY);
            assert!(reply.starts_with("530 5.7.0"), "{made_by:?}: {reply}");
            drop(daemon);
            let reply = told(&practice, &wallet, &ORDINARY);
            assert!(reply.starts_with("451"), "{made_by:?}: {reply}");
        });
    }
}

/// What all policy services are said to do is nothing to the daemon, of which something else is said.
fn x2_others(release: Release) {
    let (practice, wallet) = open(release);
    let ours = "check_policy_service { unix:connectord/policy.sock, { default_action = 451 4.3.5 later } }";
    let lists = ["recipient", "data"].map(|name| format!("smtpd_{name}_restrictions={ours}"));
    practice.postconf(&["-e", "smtpd_policy_service_default_action=DUNNO", &lists[0], &lists[1]]);
    let reply = told(&practice, &wallet, &ORDINARY);
    assert!(reply.starts_with("451 4.3.5") && reply.contains("later"), "{reply}");
    let _daemon = practice.serve();
    practice.is_well();
}

on_each_postfix!(x2_away, x2_others);
