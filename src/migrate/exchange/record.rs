//! A connector as Exchange shows it: properties with their places, whatever the format they came in.
//!
//! Only the properties that decide something are kept. Exchange spells one and the same property in more than one way
//! (`RequireTls` in the cloud, `RequireTLS` on premises), and PowerShell does not tell cases apart; so do we.

use super::place::Place;

/// The properties that are kept, in lower case.
const KEPT: [&str; 46] = [
    // Every kind.
    "name",
    "guid",
    "enabled",
    "comment",
    "connectortype",
    "cloudservicesmailenabled",
    // Get-OutboundConnector.
    "recipientdomains",
    "usemxrecord",
    "smarthosts",
    "tlssettings",
    "tlsdomain",
    "smtpdanemode",
    "mtastsmode",
    "istransportrulescoped",
    "allaccepteddomains",
    "routeallmessagesviaonpremises",
    "senderrewritingenabled",
    "testmode",
    "validationrecipients",
    // Get-InboundConnector.
    "senderdomains",
    "senderipaddresses",
    "requiretls",
    "tlssendercertificatename",
    "restrictdomainstocertificate",
    "restrictdomainstoipaddresses",
    "associatedaccepteddomains",
    "trustedorganizations",
    "treatmessagesasinternal",
    "efskipips",
    "efskiplastip",
    "efusers",
    "clienthostnames",
    "scananddroprecipients",
    // Get-SendConnector.
    "addressspaces",
    "tlsauthlevel",
    "domainsecureenabled",
    "ignorestarttls",
    "dnsroutingenabled",
    "port",
    "smarthostauthmechanism",
    "tlscertificatename",
    "errorpolicies",
    "isscopedconnector",
    // Get-ReceiveConnector.
    "remoteipranges",
    "bindings",
    "tlsdomaincapabilities",
];

/// What a property is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `$null`.
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Value>),
    /// An object of which no text is known.
    Object,
}

/// A property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) place: Place,
    fields: Vec<Field>,
    /// The first property that is there twice.
    doubled: Option<Field>,
}

/// Whether a property of that name is kept.
pub(super) fn is_kept(name: &str) -> bool {
    KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name))
}

impl Record {
    pub(super) fn new(place: Place) -> Record {
        Record { place, fields: Vec::new(), doubled: None }
    }

    /// Takes a property. A second one of the same name makes the connector ambiguous; see [`Record::doubled`].
    pub(super) fn add(&mut self, field: Field) {
        if self.find(&field.name).is_some() {
            self.doubled.get_or_insert(field);
        } else {
            self.fields.push(field);
        }
    }

    /// Whether there is any property that is kept.
    pub(super) fn has_properties(&self) -> bool {
        !self.fields.is_empty()
    }

    /// A property that is there twice: nobody knows which of the two counts.
    pub(super) fn doubled(&self) -> Option<&Field> {
        self.doubled.as_ref()
    }

    /// A property; one of those that are kept, for of the others it is not known whether they are there.
    pub(super) fn find(&self, name: &str) -> Option<&Field> {
        debug_assert!(is_kept(name), "{name} is not kept");
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// Whether the export has this property at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether two are the same but for their places.
    pub(super) fn is_like(&self, other: &Record) -> bool {
        self.fields.len() == other.fields.len()
            && self
                .fields
                .iter()
                .all(|field| other.find(&field.name).is_some_and(|twin| twin.value == field.value))
    }
}
