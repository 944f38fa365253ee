//! Which of two connectors for the same mail goes first, or demands more.

use std::cmp::Ordering;

use super::claims::Made;
use crate::migrate::{InboundTerms, Names, OutboundTerms, Terms};
use crate::model::Pattern;
use crate::model::names;
use crate::model::requirement::{Parts, Requirement};

/// What is known of two; `true` is for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// One has the lower cost.
    Cost(bool),
    /// One demands more; the first also where it demands the same.
    Demands(bool),
    /// Each demands something that the other does not, or they go different ways.
    Neither,
}

pub(super) fn order(one: &Made, other: &Made) -> Order {
    if let (Some(own), Some(cost)) = (one.cost, other.cost)
        && own != cost
    {
        return Order::Cost(own < cost);
    }
    let (first, second) = match (&one.draft.terms, &other.draft.terms) {
        (Terms::Outbound(one), Terms::Outbound(other)) => match outbound(one, other) {
            Some(order) => (order.is_ge(), order.is_le()),
            None => (false, false),
        },
        (Terms::Inbound(one), Terms::Inbound(other)) => (includes(one, other), includes(other, one)),
        (Terms::Outbound(_), Terms::Inbound(_)) | (Terms::Inbound(_), Terms::Outbound(_)) => (false, false),
    };
    match (first, second) {
        (true, _) => Order::Demands(true),
        (false, true) => Order::Demands(false),
        (false, false) => Order::Neither,
    }
}

fn outbound(one: &OutboundTerms, other: &OutboundTerms) -> Option<Ordering> {
    if one.route != other.route {
        return None;
    }
    requirement(one)?.partial_cmp(&requirement(other)?)
}

fn requirement(terms: &OutboundTerms) -> Option<Requirement> {
    let names = match &terms.names {
        Names::Unsaid => None,
        Names::Domain => Some(names::Names::Domain),
        Names::Of(names) => {
            let patterns = names.iter().map(|name| Pattern::parse(name).ok());
            Some(names::Names::Set(patterns.collect::<Option<Vec<_>>>()?.into_iter().collect()))
        }
    };
    Requirement::new(Parts { names, ..Parts::of_level(terms.tls) }).ok()
}

/// Whether one demands all that the other does, of all whom that does.
fn includes(one: &InboundTerms, other: &InboundTerms) -> bool {
    let all = |own: &[String], others: &[String]| others.is_empty() || own == others;
    (one.tls.is_some() || other.tls.is_none())
        && all(&one.certificate_names, &other.certificate_names)
        && all(&one.required_addresses, &other.required_addresses)
        && (one.recipients.is_empty() || one.recipients == other.recipients)
        && one.on_violation == other.on_violation
}
