//! connectord against real Postfix and real Exim: those of Debian 12 and Debian 13.
//!
//! Each test has a laboratory of its own ([`lab::Lab`]): two network namespaces joined by a
//! cable, Postfix and a DNS server in the one (chrooted as Debian ships them), the partner's mail
//! servers in the other, and the daemon that was just built between them. What counts is only
//! what both ends say: the partner's mailbox and our mail queue outbound, the SMTP replies inbound.
//! `validate` is run there as a process of its own, and needs no mail server on our side.
//!
//! Everything ends with the test, whatever ends the test: the namespaces have no names, Postfix
//! lives in a PID namespace whose first process ends when the test's pipe to it closes, and the
//! daemon is killed when its value is dropped.
//!
//! Needs root, and what `tests/setup` installs. Without them the tests say so and do nothing, or
//! fail when `CONNECTORD_TESTS_MUST_NOT_SKIP=1`. The Debian roots are made once, in
//! `target/roots`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stderr
)]

mod agreement;
mod behaviours;
mod booted;
mod certificates;
mod cgroup;
mod client;
mod condition;
mod crowd;
mod daemon;
mod detours;
mod dnssec;
mod doctor;
mod doctor_away;
mod doctor_bypasses;
mod doctor_bypasses_inbound;
mod doctor_daemon;
mod doctor_dane;
mod doctor_exim;
mod doctor_exim_bypasses;
mod doctor_exim_dane;
mod doctor_exim_inbound;
mod doctor_exim_layouts;
mod doctor_exim_together;

mod doctor_inbound;
mod doctor_order;
mod doctor_overrides;
mod doctor_proxies;
mod doctor_services;
mod doctor_tables;
mod doctor_unseen;
mod effective;
mod envelopes;
mod examiner;
mod exhibits;
mod exim;
mod exim_addresses;
mod exim_aliases;
mod exim_away;
mod exim_certificates;
mod exim_chains;
mod exim_dns;
mod exim_domains;
mod exim_envelopes;
mod exim_faults;
mod exim_faults_inbound;
mod exim_inbound;
mod exim_install;
mod exim_messages;
mod exim_partners;
mod exim_practice;
mod exim_queue;
mod exim_retry;
mod exim_reuse;
mod exim_single_file;
mod exim_site;
mod exim_verify;
mod faults;
#[path = "../../src/validate/forge.rs"]
mod forge;
mod grid;
mod impostor;
mod inbound;
#[path = "../cli/terminal.rs"]
mod keyboard;
mod keys;
mod lab;
mod machine;
mod migrate;
mod migrate_installed;
mod monitored;
mod network;
mod newcomer;
mod outbound;
mod package;
mod package_fault;
mod partner;
mod partner_kit;
mod policy_host;
mod policy_table;
mod postfix;
mod postmap;
mod practice;
mod prove;
mod prove_enclosure;
mod prove_exim;
mod prove_exim_site;
mod requirement;
mod resolver;
mod root;
mod rpm;
mod session_cache;
mod smtp;
mod systemd;
mod terminal;
mod test_mail;
mod transaction;
mod validation;
mod visitor;
mod watch;
mod wizard;
