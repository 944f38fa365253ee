//! Where an smtpd(8) asks the daemon, and what lets clients pass before it does.

use super::access::AccessTables;
use super::inbound::is_at_another_port;
use super::kinds::{
    POLICY_SERVICE_ACTION, POLICY_SERVICE_LATE, POLICY_SERVICE_MISSING, POLICY_SERVICE_UNSEEN, SOCKET_PATH,
};
use super::{Patient, Set, finding, is};
use crate::model::Inbound;
use crate::mta::finding::Finding;
use crate::mta::postfix::restrictions::{
    self as lists, Outcome, PolicyService, Restriction, access_table, restrictions,
};
use crate::mta::postfix::settings::{Service, tables};

const RECIPIENT: &str = "smtpd_recipient_restrictions";

const DATA: &str = "smtpd_data_restrictions";

/// Lists that are judged at RCPT with `smtpd_delay_reject = yes` (smtpd_check.c:smtpd_check_rcpt): the daemon may be
/// asked in any of them.
const BEFORE: [&str; 4] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
];

/// Every list in which the daemon is asked where it is asked in time.
pub(super) const LISTS: [&str; 6] = [BEFORE[0], BEFORE[1], BEFORE[2], BEFORE[3], RECIPIENT, DATA];

/// The restrictions of one of these lists, with those of the classes in it.
pub(super) fn in_full<'p>(patient: &Patient<'p>, service: &'p Service, name: &str) -> Vec<Restriction<'p>> {
    let list = patient.settings.of(service, name);
    lists::in_full(list, &|name| patient.class(service, name))
}

/// What lets clients pass whom an smtpd(8) at a port of its own knows.
const KNOWN: [&str; 7] = [
    "permit_mynetworks",
    "permit_sasl_authenticated",
    "permit_tls_clientcerts",
    "permit_tls_all_clientcerts",
    "check_client_access",
    "check_ccert_access",
    "check_sasl_access",
];

/// What comes of the answer of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Mail passes that the daemon never sees.
    Passes,
    /// So it may: a class asks another table.
    Unknown,
    /// The daemon is asked, or mail is refused.
    Judged,
}

/// How the daemon is asked in a list.
pub(super) enum Asked<'l> {
    /// Before anything that is known to let a client pass; behind these.
    First(PolicyService<'l>, Vec<Restriction<'l>>),
    /// What it says is only logged.
    InVain,
    /// After that.
    Late(PolicyService<'l>),
    Never,
}

pub(super) fn asked_in<'p>(patient: &Patient<'p>, service: &'p Service, name: &str) -> Asked<'p> {
    let mut has_passed = false;
    let mut in_vain = false;
    let mut before = Vec::new();
    for restriction in in_full(patient, service, name) {
        if let Some(ours) = patient.our_service(&restriction) {
            match (restriction.only_warns, has_passed) {
                (true, _) => in_vain = true,
                (false, true) => return Asked::Late(ours),
                (false, false) => return Asked::First(ours, before),
            }
        }
        has_passed |= patient.lets_pass(service, &restriction);
        before.push(restriction);
    }
    if in_vain { Asked::InVain } else { Asked::Never }
}

/// Whether one smtpd(8) says wherever it asks what is done while the daemon does not answer: what it says of all policy
/// services is then about others.
pub(super) fn says_what_then<'p>(patient: &Patient<'p>, service: &'p Service) -> bool {
    let mut asked = LISTS.iter().filter_map(|name| match asked_in(patient, service, name) {
        Asked::First(ours, _) | Asked::Late(ours) => Some(ours.default_action.is_some()),
        Asked::InVain | Asked::Never => None,
    });
    asked.next().is_some_and(|first| first && asked.all(|says| says))
}

/// Whether one smtpd(8) asks at RCPT and at DATA.
pub(super) fn asked<'p>(
    patient: &Patient<'p>,
    access: &AccessTables<'p>,
    service: &'p Service,
) -> Vec<Finding> {
    let mut findings = asked_at_all(patient, access, service);
    findings.extend(let_pass(patient, access, service));
    findings
}

/// The early lists that are judged at RCPT.
fn judged_at_rcpt(patient: &Patient<'_>, service: &Service) -> &'static [&'static str] {
    if is(patient.settings.of(service, "smtpd_delay_reject"), "no") { &[] } else { &BEFORE }
}

/// What is wrong with how the daemon is asked in the lists.
fn asked_at_all<'p>(patient: &Patient<'p>, access: &AccessTables<'p>, service: &'p Service) -> Vec<Finding> {
    let early = judged_at_rcpt(patient, service);
    let is_reached = |ours: &PolicyService<'_>| patient.reaches(service, ours.path, patient.policy);
    let first = |name: &&'static str| match asked_in(patient, service, name) {
        Asked::First(ours, _) => Some(ours),
        Asked::InVain | Asked::Late(_) | Asked::Never => None,
    };
    let is_asked_early = early.iter().any(|name| first(name).is_some());
    // What one list lets pass while the daemon does not answer, another one does not.
    let mut at_rcpt = early.iter().chain([&RECIPIENT]).filter_map(first);
    let is_refused = at_rcpt.any(|ours| is_reached(&ours) && !ours.lets_pass());
    let mut findings = Vec::new();
    for name in LISTS {
        if patient.turned_away(access, service, name).is_some() {
            continue;
        }
        let is_early = BEFORE.contains(&name);
        let (kind, message) = match asked_in(patient, service, name) {
            Asked::First(ours, _) if ours.lets_pass() => {
                if name != DATA && (is_refused || is_early && early.is_empty()) {
                    continue;
                }
                let message = match is_reached(&ours) {
                    true => "while the daemon does not answer this lets mail pass",
                    false => "the daemon cannot be reached at this path, and this lets mail pass",
                };
                (&POLICY_SERVICE_ACTION, message)
            }
            Asked::First(ours, _) if !is_reached(&ours) => {
                (&SOCKET_PATH, "the daemon cannot be reached at this path, and all mail is refused for now")
            }
            Asked::Late(ours) if is_early && !is_reached(&ours) && !ours.lets_pass() => {
                (&SOCKET_PATH, "the daemon cannot be reached at this path, and mail is refused for now")
            }
            Asked::First(..) => continue,
            Asked::Never | Asked::Late(_) | Asked::InVain if is_early => continue,
            Asked::Never | Asked::Late(_) | Asked::InVain if name == RECIPIENT && is_asked_early => {
                continue;
            }
            Asked::Late(_) => {
                (&POLICY_SERVICE_LATE, "what stands before the daemon lets clients pass that it never sees")
            }
            Asked::InVain => {
                (&POLICY_SERVICE_MISSING, "what the daemon refuses is only logged (warn_if_reject)")
            }
            Asked::Never if name == DATA => (
                &POLICY_SERVICE_MISSING,
                "the daemon is not asked at DATA, and for `RCPT TO:<postmaster>` Postfix asks nowhere else",
            ),
            Asked::Never => (&POLICY_SERVICE_MISSING, "the daemon is not asked: no connector is in force"),
        };
        let set =
            Set { place: patient.place(service, name), name, value: patient.settings.of(service, name) };
        // Where strangers are turned away at RCPT they are so here; the daemon would judge our own clients, or what a filter
        // gives back.
        let turned_away = patient.turned_away(access, service, RECIPIENT).filter(|_| name == DATA);
        let mend = match turned_away {
            Some(restrictions) => {
                let entries: Vec<String> = restrictions.iter().map(Restriction::text).collect();
                patient.rewrite(patient.place(service, name), name, &entries)
            }
            None => patient.judged_first(service, name),
        };
        findings.extend(patient.coming(kind, |_| true, message, set, mend));
    }
    findings
}

/// What stands before the daemon in the lists, and lets mail pass.
fn let_pass<'p>(patient: &Patient<'p>, access: &AccessTables<'p>, service: &'p Service) -> Vec<Finding> {
    let passing = |name| match asked_in(patient, service, name) {
        Asked::First(_, before) => Some(access.passing(patient, service, name, &before)),
        Asked::InVain | Asked::Late(_) | Asked::Never => None,
    };
    // Of several lists with the daemon in them it judges in each: what the best lets pass is let pass.
    let early = judged_at_rcpt(patient, service).iter().filter_map(|name| Some((*name, passing(name)?)));
    let best = early
        .chain(passing(RECIPIENT).map(|passing| (RECIPIENT, passing)))
        .min_by_key(|(_, passing)| passing.weight());
    let at_data = passing(DATA);
    let mut findings = Vec::new();
    // What passed at RCPT is judged at DATA again, but for connectors that are about some recipients.
    let is_judged_again = at_data.as_ref().is_some_and(|passing| passing.is_nothing());
    for (name, passing) in best.into_iter().chain(at_data.map(|passing| (DATA, passing))) {
        let is_about = |number: usize, connector: &Inbound| {
            let is_judged = name != DATA && is_judged_again && connector.recipients.is_none();
            !is_judged && passing.connectors.contains_key(&number)
        };
        let set =
            || Set { place: patient.place(service, name), name, value: patient.settings.of(service, name) };
        let mend = || patient.judged_first(service, name);
        let all = patient.agreements.inbound.iter().enumerate();
        let let_pass = all.filter(|(number, connector)| is_about(*number, connector));
        let first = let_pass.clone().find_map(|(number, _)| passing.connectors.get(&number));
        let names = let_pass.map(|(_, connector)| connector.name.as_str());
        if let Some(by) = first {
            let message = format!("{by}, and the daemon never sees what that lets pass");
            findings.extend(finding(&POLICY_SERVICE_LATE, names, &message, set(), mend()));
        } else if let Some(what) = &passing.unseen {
            let message =
                format!("what a table lets pass the daemon never sees, and that is not known: {what}");
            let about =
                |connector: &Inbound| name == DATA || !is_judged_again || connector.recipients.is_some();
            findings.extend(patient.coming(&POLICY_SERVICE_UNSEEN, about, &message, set(), mend()));
        }
    }
    findings
}

impl<'p> Patient<'p> {
    /// The list of a class of restrictions.
    fn class<'s>(&self, service: &'s Service, name: &str) -> Option<&'s str>
    where
        'p: 's,
    {
        let classes = self.settings.of(service, "smtpd_restriction_classes");
        tables(classes).contains(&name).then(|| self.settings.of(service, name))
    }

    /// The policy service that a restriction asks, if it is the daemon.
    fn our_service<'l>(&self, restriction: &Restriction<'l>) -> Option<PolicyService<'l>> {
        PolicyService::of(restriction).filter(|service| self.is_at(service.path, self.policy))
    }

    /// The commands that ask the daemon before the other restrictions, as they are written.
    fn judged_first(&self, service: &'p Service, name: &str) -> Vec<String> {
        let Some(path) = self.as_asked(self.policy, std::iter::once(service)) else { return Vec::new() };
        let place = self.place(service, name);
        let others = restrictions(self.written(place, name)).into_iter();
        let others = others.filter(|restriction| self.our_service(restriction).is_none());
        let ours = format!("check_policy_service unix:{path}");
        let entries: Vec<String> =
            std::iter::once(ours).chain(others.map(|restriction| restriction.text())).collect();
        self.rewrite(place, name, &entries)
    }

    /// What turns strangers away in a list of an smtpd(8) at another port than 25, with what stands before it: who logs in,
    /// is one of ours or is in a table that is about clients passes, if no table lets a connector's mail pass.
    fn turning_away<'s>(
        &'s self,
        access: &AccessTables<'p>,
        service: &'s Service,
        name: &str,
    ) -> Option<Vec<Restriction<'s>>> {
        if !is_at_another_port(self.settings, service) {
            return None;
        }
        let goes_on = |one: &Restriction<'_>| {
            let lower = one.name.to_ascii_lowercase();
            let is_question = ["check_", "reject_", "defer_"].iter().any(|head| lower.starts_with(head));
            one.only_warns || is_question || KNOWN.contains(&lower.as_str())
        };
        let list = self.settings.of(service, name);
        let mut all = lists::in_full(list, &|name| self.class(service, name));
        let end = all.iter().position(|one| !goes_on(one))?;
        if !["reject", "defer"].iter().any(|word| is(all.get(end).map_or("", |one| one.name), word)) {
            return None;
        }
        let last = all.drain(end..).next()?;
        let passing = access.passing(self, service, name, &all);
        passing.connectors.is_empty().then(|| {
            let known = all.into_iter().filter(|one| KNOWN.contains(&one.name.to_ascii_lowercase().as_str()));
            known.filter(|one| !one.only_warns).chain([last]).collect()
        })
    }

    /// Whether strangers are turned away at RCPT and at DATA.
    pub(super) fn turns_strangers_away(&self, access: &AccessTables<'p>, service: &Service) -> bool {
        [RECIPIENT, DATA].iter().all(|name| self.turned_away(access, service, name).is_some())
    }

    /// The lists at RCPT that turn strangers away, and the one at DATA; or the first of all, which is judged when somebody
    /// connects.
    fn turned_away<'s>(
        &'s self,
        access: &AccessTables<'p>,
        service: &'s Service,
        name: &str,
    ) -> Option<Vec<Restriction<'s>>> {
        let early = || BEFORE.into_iter().chain([RECIPIENT]);
        let is_at_once = is(self.settings.of(service, "smtpd_delay_reject"), "no");
        match name {
            DATA => [DATA]
                .into_iter()
                .chain(is_at_once.then_some(BEFORE[0]))
                .find_map(|list| self.turning_away(access, service, list)),
            _ => early().find_map(|list| self.turning_away(access, service, list)),
        }
    }

    /// What the answer of a table in this list does for clients that the daemon would judge.
    pub(super) fn verdict(&self, service: &Service, list: &str, answer: &str) -> Verdict {
        match Outcome::of(answer) {
            Outcome::Permits => Verdict::Passes,
            Outcome::GoesOn => Verdict::Judged,
            Outcome::Restrictions => {
                let all = lists::in_full(answer, &|name| self.class(service, name));
                let before = all.iter().take_while(|one| one.only_warns || self.our_service(one).is_none());
                let mut verdict = Verdict::Judged;
                for restriction in before {
                    if self.lets_pass(service, restriction) {
                        return Verdict::Passes;
                    }
                    // RESTRICTION_CLASS_README: a class mostly asks a table.
                    if access_table(restriction, list).is_some() {
                        verdict = Verdict::Unknown;
                    }
                }
                verdict
            }
        }
    }

    /// Whether a restriction ends a list in favour of clients that the daemon would judge. (What another service says is
    /// not known from here; tables are looked at for themselves.)
    fn lets_pass(&self, service: &Service, restriction: &Restriction<'_>) -> bool {
        let lower = restriction.name.to_ascii_lowercase();
        match lower.as_str() {
            // The daemon lets these pass as well.
            "permit_sasl_authenticated" => false,
            "permit_mynetworks" => !self.is_exempt(self.settings.of(service, "mynetworks")),
            _ => lower == "permit" || lower.starts_with("permit_"),
        }
    }
}
