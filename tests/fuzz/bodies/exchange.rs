//! Exports of Exchange: whatever the bytes, every connector that comes of them is accepted by the configuration and not in
//! force, and whatever does not come of them is told in words that can be shown.

use std::cell::OnceCell;
use std::fs;

use connectord::load;
use connectord::migrate::exchange::{Exports, Imported};
use connectord::migrate::{Terms, file};
use connectord::model::{Level, Mode};
use tempfile::TempDir;

use super::site::{directory, now};

thread_local! {
    /// One for each thread, for a body runs thousands of times.
    static DIRECTORY: OnceCell<TempDir> = const { OnceCell::new() };
}

/// Imports the bytes as a file.
pub fn exchange(data: &[u8]) {
    let mut exports = Exports::default();
    exports.read("export", data.to_vec());
    let Imported { drafts, refused, remarks } = exports.finish();
    for told in refused.iter().map(ToString::to_string).chain(remarks) {
        assert!(!told.chars().any(char::is_control) && told.len() < 4_000, "{told:?}");
    }
    // Text that is no UTF-8 may be UTF-16, where words look otherwise.
    let text = String::from_utf8_lossy(data).to_lowercase();
    for draft in &drafts {
        assert!(matches!(draft.mode, Mode::Report | Mode::Off), "{draft:?}");
        if let Terms::Outbound(terms) = &draft.terms
            && matches!(terms.tls, Level::May | Level::Dane)
        {
            let words = ["never forced TLS", "`encrypt` at least", "DomainSecureEnabled"];
            let is_told = |note: &String| words.iter().any(|words| note.contains(words));
            assert!(draft.notes.iter().any(is_told), "{draft:?}");
            // With each word it says that there is TLS, and whoever demands it says true.
            assert!(!only_strict(&text), "{draft:?}");
        }
    }
    if drafts.is_empty() {
        return;
    }
    DIRECTORY.with(|known| {
        let path = known.get_or_init(|| directory(&[])).path().join("connectord.toml");
        let written = file(&["fuzz".to_owned()], &drafts);
        fs::write(&path, &written).expect("a configuration that can be written");
        let checked = load::check(&path, 1, now());
        if let Err(problems) = checked.result {
            panic!("{problems}\n{written}");
        }
        let agreements = checked.agreements;
        assert_eq!(agreements.outbound.len() + agreements.inbound.len(), drafts.len(), "{written}");
        assert!(agreements.outbound.iter().all(|outbound| outbound.mode != Mode::Enforce), "{written}");
        assert!(agreements.inbound.iter().all(|inbound| inbound.mode != Mode::Enforce), "{written}");
    });
}

/// Whether every `TlsSettings` and `TlsAuthLevel` in a text of JSON is followed by one of the words, as they are written
/// without escapes.
fn only_strict(text: &str) -> bool {
    let is_word = |rest: &str| {
        let value = rest.trim_start_matches(|c: char| c == '"' || c == ':' || c.is_ascii_whitespace());
        ["encryptiononly\"", "certificatevalidation\"", "domainvalidation\""]
            .iter()
            .any(|word| value.starts_with(word))
    };
    let mut asked =
        ["\"tlssettings", "\"tlsauthlevel"].into_iter().flat_map(|key| text.split(key).skip(1)).peekable();
    !text.contains('\\') && !text.contains('<') && asked.peek().is_some() && asked.all(is_word)
}
