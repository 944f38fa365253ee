//! The decision about a mail that comes in.
//!
//! Every enforcing connector that identifies the mail applies and their requirements add up;
//! only `overrides` takes one out, and only one that is in force itself. Of several violations
//! the most severe is told: reject before defer before hold, then TLS before certificate before
//! address, then by name.
//!
//! Nothing here ever says OK: "nothing to object" is `DUNNO`, and the restrictions behind us go
//! on (an OK in `smtpd_recipient_restrictions` could open a relay). What cannot be decided while
//! a connector depends on it is deferred.
//!
//! A limit that the protocol sets: at DATA with several recipients Postfix names none, so
//! connectors with `recipients` were decided at each RCPT and are not decided there again.

use std::borrow::Cow;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::mail::{Identity, Mail, ProtocolState};
use super::text::{self, Part, Violation};
use super::violations::{Clock, violations};
use crate::model::Inbound;
use crate::model::inbound::Action;
use crate::snapshot::{IdentifiedBy, InboundSide, Snapshot};

/// What is decided about a mail, and from what.
#[derive(Debug)]
#[must_use]
pub struct Decision<'s> {
    /// The verdict.
    pub verdict: Verdict,
    /// Why a mail passes though connectors could apply, or is deferred though none was violated.
    pub because: Because,
    /// The enforcing connectors that identify the mail, less those overridden.
    pub applies: AllJudged<'s>,
    /// The reporting ones, for the log alone.
    pub report: AllJudged<'s>,
    action: Cow<'static, str>,
    /// Whose violation is told, by its index in `applies`.
    told: Option<usize>,
}

/// The verdict about a mail, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing to object.
    Pass,
    /// Put aside.
    Hold,
    /// Refused for now.
    Defer,
    /// Refused.
    Reject,
}

impl Verdict {
    /// The word in logs and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Hold => "hold",
            Verdict::Defer => "defer",
            Verdict::Reject => "reject",
        }
    }

    fn of(action: Action) -> Verdict {
        match action {
            Action::Hold => Verdict::Hold,
            Action::Defer => Verdict::Defer,
            Action::Reject => Verdict::Reject,
        }
    }
}

/// The ground of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The connectors that apply, or that none does.
    Connectors,
    /// It is too early in the session, or about no mail.
    State,
    /// The client has logged in.
    Authenticated,
    /// The client's address is exempt.
    Exempt,
    /// A state that is not documented.
    UnknownState,
    /// No domain can be read from the sender, and a connector depends on it.
    Sender,
    /// The client's address cannot be read, and a connector depends on it.
    Client,
}

impl Because {
    /// The word in a decision line.
    pub fn word(self) -> &'static str {
        match self {
            Because::Connectors => "connectors",
            Because::State => "state",
            Because::Authenticated => "authenticated",
            Because::Exempt => "exempt",
            Because::UnknownState => "unknown-state",
            Because::Sender => "sender",
            Because::Client => "client",
        }
    }
}

/// Connectors that a mail is about; hardly ever more than one.
pub type AllJudged<'s> = SmallVec<[Judged<'s>; 1]>;

/// A connector and what the mail does not show of what it requires.
#[derive(Debug)]
pub struct Judged<'s> {
    /// The connector.
    pub connector: &'s Inbound,
    /// Its index in the list of all.
    pub number: usize,
    /// What identified the mail.
    pub identified_by: IdentifiedBy<'s>,
    /// What is not met, in the order of the parts; empty when all is.
    pub violations: Vec<Violation>,
}

impl Judged<'_> {
    /// What this connector alone would decide.
    pub fn verdict(&self) -> Verdict {
        if self.violations.is_empty() { Verdict::Pass } else { Verdict::of(self.connector.on_violation) }
    }

    /// The action this connector alone would lead to.
    pub fn action(&self) -> Cow<'static, str> {
        self.told_as(self.connector.on_violation).map_or(Cow::Borrowed(DUNNO), Cow::Owned)
    }

    /// What is told of the first violation when this is done about it; none without one.
    fn told_as(&self, action: Action) -> Option<String> {
        let violation = self.violations.first()?;
        let code = match (action, violation.part()) {
            (Action::Hold, _) => "HOLD",
            (Action::Reject, Part::Tls) => "530 5.7.0",
            (Action::Reject, Part::Certificate | Part::Addresses) => "550 5.7.1",
            (Action::Defer, Part::Tls) => "450 4.7.0",
            (Action::Defer, Part::Certificate | Part::Addresses) => "450 4.7.1",
        };
        Some(text::reply(code, &self.connector.name, violation))
    }
}

/// Nothing to object: the restrictions behind us go on.
const DUNNO: &str = "DUNNO";

impl<'s> Decision<'s> {
    /// What follows `action=` in the reply of policy delegation.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The reply for the client, of an MTA that cannot hold a mail and defers it instead; none
    /// when the mail passes.
    pub fn smtp_reply(&self) -> Option<Cow<'_, str>> {
        match self.verdict {
            Verdict::Pass => None,
            Verdict::Hold => self.told().and_then(|judged| judged.told_as(Action::Defer)).map(Cow::Owned),
            Verdict::Defer | Verdict::Reject => Some(Cow::Borrowed(&self.action)),
        }
    }

    /// The connector whose violation is told.
    pub fn told(&self) -> Option<&Judged<'s>> {
        self.applies.get(self.told?)
    }

    fn pass(because: Because) -> Decision<'s> {
        Decision {
            verdict: Verdict::Pass,
            because,
            applies: AllJudged::new(),
            report: AllJudged::new(),
            action: Cow::Borrowed(DUNNO),
            told: None,
        }
    }

    fn defer(because: Because, action: &'static str) -> Decision<'s> {
        Decision {
            verdict: Verdict::Defer,
            because,
            applies: AllJudged::new(),
            report: AllJudged::new(),
            action: Cow::Borrowed(action),
            told: None,
        }
    }
}

/// Decides about a mail. `now` is asked for the dates of registered certificates only: most mail is
/// decided without a look at the clock.
pub fn inbound<'s>(snapshot: &'s Snapshot, mail: &Mail<'_>, now: impl Fn() -> Timestamp) -> Decision<'s> {
    decide(snapshot, mail, &now)
}

fn decide<'s>(snapshot: &'s Snapshot, mail: &Mail<'_>, now: Clock<'_>) -> Decision<'s> {
    let state = match ProtocolState::of(mail.state) {
        Some(ProtocolState::Early) => return Decision::pass(Because::State),
        Some(state) => state,
        None => {
            return Decision::defer(
                Because::UnknownState,
                "450 4.7.1 connectord does not know this protocol state",
            );
        }
    };
    if !mail.sasl_username.is_empty() {
        return Decision::pass(Because::Authenticated);
    }
    let client = mail.client();
    if client.is_some_and(|client| snapshot.is_exempt(client)) {
        return Decision::pass(Because::Exempt);
    }
    let identity = mail.identity();
    let enforced = snapshot.inbound_enforced();
    let unreadable = if enforced.has_domains() && identity == Identity::Unusable {
        Some((Because::Sender, "450 4.7.1 the domain of the sender cannot be determined"))
    } else if enforced.has_addresses() && client.is_none() {
        Some((Because::Client, "450 4.7.1 the address of the client cannot be determined"))
    } else {
        None
    };
    let judge = |side: &'s InboundSide| {
        if !side.has_domains() && !side.has_addresses() {
            return AllJudged::new();
        }
        let domain = match &identity {
            Identity::Domain(name) => Some(name.as_ref()),
            Identity::Literal | Identity::Unusable => None,
        };
        let identified = side.identify(snapshot.inbound(), domain, client);
        let judged = identified.into_iter().filter_map(|identified| {
            let connector = snapshot.inbound().get(identified.connector)?;
            in_scope(connector, state, mail).then(|| Judged {
                connector,
                number: identified.connector,
                identified_by: identified.by,
                violations: violations(connector, mail, now),
            })
        });
        without_overridden(judged.collect())
    };
    let applies = judge(enforced);
    let report = judge(snapshot.inbound_reported());
    let violated = applies.iter().enumerate().filter(|(_, judged)| !judged.violations.is_empty());
    let worst = violated.min_by(|(_, a), (_, b)| {
        let part = |judged: &Judged<'_>| judged.violations.first().map(Violation::part);
        let severity = b.connector.on_violation.cmp(&a.connector.on_violation);
        severity.then_with(|| part(a).cmp(&part(b))).then_with(|| a.connector.name.cmp(&b.connector.name))
    });
    let told = worst.map(|(index, _)| index);
    let (verdict, action) =
        worst.map_or((Verdict::Pass, Cow::Borrowed(DUNNO)), |(_, worst)| (worst.verdict(), worst.action()));
    match unreadable {
        // What is refused without the missing part stays refused.
        Some((because, action)) if verdict < Verdict::Defer => {
            Decision { applies, report, ..Decision::defer(because, action) }
        }
        _ => Decision { verdict, because: Because::Connectors, applies, report, action, told },
    }
}

/// Whether the mail goes to somebody the connector is about. A recipient without a usable domain
/// is ours and in every scope.
fn in_scope(connector: &Inbound, state: ProtocolState, mail: &Mail<'_>) -> bool {
    let Some(recipients) = &connector.recipients else {
        return true;
    };
    match state {
        ProtocolState::Early | ProtocolState::Mail => false,
        ProtocolState::Data if mail.recipient.is_empty() => false,
        ProtocolState::Recipient | ProtocolState::Data => {
            mail.recipient_domain().is_none_or(|domain| recipients.covers_name(&domain))
        }
    }
}

/// Takes out what others override. One that is out itself takes nothing out: with A over B over
/// C, C stays in force beside A. `overrides` has no cycles; that is checked at load.
fn without_overridden(mut judged: AllJudged<'_>) -> AllJudged<'_> {
    let overrides = |a: &Judged<'_>, b: &Judged<'_>| {
        a.connector.overrides.iter().any(|name| name == b.connector.name.as_str())
    };
    let count = judged.len();
    if count < 2 {
        return judged;
    }
    let mut standing: Vec<Option<bool>> = vec![None; count];
    // Without cycles, each round settles at least one.
    for _ in 0..count {
        for (i, own) in judged.iter().enumerate() {
            let above = || judged.iter().zip(&standing).filter(|(other, _)| overrides(other, own));
            let settled = if above().any(|(_, standing)| *standing == Some(true)) {
                Some(false)
            } else if above().all(|(_, standing)| *standing == Some(false)) {
                Some(true)
            } else {
                None
            };
            if let (Some(slot), Some(settled)) = (standing.get_mut(i), settled) {
                slot.get_or_insert(settled);
            }
        }
    }
    // What is unsettled would be a cycle: it stays in force.
    let mut standing = standing.into_iter();
    judged.retain(|_| standing.next().flatten() != Some(false));
    judged
}
