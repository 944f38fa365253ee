//! Certificate files that a connector names, read and judged.
//!
//! A date that is over stops mail on the day it passes; it is told while there is time to mend
//! it. Here it is only told: what is pinned or registered counts at the time of each answer.

use std::sync::Arc;

use jiff::SignedDuration;

use super::problem::shown;
use super::reading::{PemFile, Reading};
use super::source::{Place, Source};
use super::table::Item;
use crate::model::certificate::{Certificate, DateProblem};
use crate::model::inbound::Registered;
use crate::model::requirement::CaFile;

/// A certificate that expires within this time is told: long enough to get a new one from a
/// partner, short enough that a certificate of 90 days is quiet for most of its life.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The trust anchors of `ca_file`.
pub(super) fn anchors(reading: &mut Reading, item: Item<'_>, source: &Source) -> Option<Arc<CaFile>> {
    let text = item.text(reading)?;
    let file = reading.pem(&source.resolve(text.text), text.place)?;
    let now = reading.now;
    if file.certificates.iter().all(|certificate| expired(certificate, now)) {
        let message = format!("every authority in {} has expired", shown(text.text));
        reading.problem(text.place, message, "get the partner's current authority");
    } else {
        for certificate in &file.certificates {
            judge_dates(reading, text.place, certificate, "get the partner's new authority");
        }
    }
    Some(Arc::clone(&file.anchors))
}

/// The certificates in these files: pinned by an outbound connector, or registered for an inbound
/// one.
pub(super) fn named(reading: &mut Reading, item: Item<'_>, source: &Source) -> Vec<(Registered, Place)> {
    let mut registered = Vec::new();
    for (written, file, place) in files(reading, item, source) {
        if let Some(certificate) = leaf(reading, &file, place) {
            registered.push((Registered { file: written, certificate }, place));
        }
    }
    registered
}

fn files(reading: &mut Reading, item: Item<'_>, source: &Source) -> Vec<(String, Arc<PemFile>, Place)> {
    let texts = item.texts(reading);
    let mut files = Vec::with_capacity(texts.len());
    for text in texts {
        if let Some(file) = reading.pem(&source.resolve(text.text), text.place) {
            files.push((text.text.to_owned(), file, text.place));
        }
    }
    files
}

/// The first certificate of a file: in a chain, that of the host.
fn leaf(reading: &mut Reading, file: &PemFile, place: Place) -> Option<Certificate> {
    let certificate = file.certificates.first()?;
    if let count @ 2.. = file.certificates.len() {
        let message = format!(
            "{} holds {count} certificates; only the first counts",
            shown(&file.path.display().to_string())
        );
        reading.warn(place, message, "leave only the certificate meant, or name each in a file of its own");
    }
    judge_dates(
        reading,
        place,
        certificate,
        "get the partner's new certificate, and name both until the change",
    );
    Some(certificate.clone())
}

fn judge_dates(reading: &mut Reading, place: Place, certificate: &Certificate, help: &str) {
    let what = match certificate.subject() {
        "" => "this certificate".to_owned(),
        subject => format!("the certificate {}", shown(subject)),
    };
    let message = match certificate.valid_at(reading.now) {
        Err(DateProblem::Expired { not_after }) => format!("{what} expired on {not_after}"),
        Err(DateProblem::NotYetValid { not_before }) => {
            format!("{what} is not valid before {not_before}")
        }
        Ok(()) if certificate.not_after().duration_since(reading.now) < SOON => {
            format!("{what} expires on {}", certificate.not_after())
        }
        Ok(()) => return,
    };
    reading.warn(place, message, help);
}

fn expired(certificate: &Certificate, now: jiff::Timestamp) -> bool {
    matches!(certificate.valid_at(now), Err(DateProblem::Expired { .. }))
}
