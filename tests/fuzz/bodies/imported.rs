//! What is imported: whatever the bytes, what comes of them is a configuration that loads, and what does not is told in
//! words that can be shown.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::fs;

use connectord::answer::{self, Answered as _};
use connectord::load;
use connectord::migrate::postfix::plan::{self, Import};
use connectord::migrate::postfix::policy::MainCf;
use connectord::migrate::postfix::routes;
use connectord::migrate::postfix::table;
use connectord::migrate::{Draft, Refused, Unique, csv, file};
use connectord::model::Mode;
use connectord::snapshot::Snapshot;
use std::sync::Arc;
use tempfile::TempDir;

use super::site::{directory, now};

thread_local! {
    /// One for each thread, for a body runs thousands of times.
    static DIRECTORY: OnceCell<TempDir> = const { OnceCell::new() };
}

/// The file, in force. None where it names a file of authorities, which is not there.
fn loaded(drafts: &[Draft]) -> Option<Arc<Snapshot>> {
    let text = file(&["of a fuzzer".to_owned()], drafts);
    if text.contains("ca_file") {
        return None;
    }
    DIRECTORY.with(|known| {
        let path = known.get_or_init(|| directory(&[])).path().join("connectord.toml");
        fs::write(&path, &text).expect("a configuration that can be read");
        match load::check(&path, 1, now()).result {
            Ok(ready) => Some(ready.snapshot),
            Err(problems) => panic!("{problems}\n{text}"),
        }
    })
}

fn presentable(refused: &[Refused]) {
    for refused in refused {
        let line = refused.to_string();
        assert!(!line.chars().any(char::is_control) && line.len() < 8_000, "{line:?}");
        assert!(!refused.reason.is_empty());
    }
}

/// The bytes as a list.
pub fn list(data: &[u8]) {
    let csv::Import { drafts, refused, rows, unknown: _ } =
        csv::outbound("list.csv", data, Mode::Enforce, &mut Unique::default());
    presentable(&refused);
    assert!(drafts.len() <= rows);
    // A row may be weaker than a wider one: in a list nobody says so, and `check` asks.
    let drafts: Vec<Draft> = drafts.into_iter().map(|draft| Draft { mode: Mode::Report, ..draft }).collect();
    loaded(&drafts);
}

/// The bytes as a table of smtp_tls_policy_maps, and behind a line `%` one of transport_maps.
pub fn policy_table(data: &[u8]) {
    const BETWEEN: &[u8] = b"\n%\n";
    let end = data.windows(BETWEEN.len()).position(|window| window == BETWEEN);
    let (data, transport) = end.map_or((data, &[][..]), |end| (&data[..=end], &data[end + BETWEEN.len()..]));
    let written = table::lines("policies", data);
    let ways = table::lines("transport", transport);
    let is_whole = written.is_whole;
    let ways = routes::read(ways, &HashSet::from(["smtp".to_owned(), "relay".to_owned()]));
    let mut known: HashMap<String, String> = HashMap::new();
    for line in &written.written {
        // Whoever cannot be read is left out.
        let value = line.value.as_deref().unwrap_or_default();
        known.entry(line.key.to_ascii_lowercase()).or_insert_with(|| value.to_ascii_lowercase());
    }
    let Import { drafts, refused, .. } =
        plan::outbound(written, ways, &MainCf::default(), Mode::Enforce, &mut Unique::default());
    presentable(&refused);
    assert!(is_whole || data.is_empty() || !refused.is_empty());
    let Some(snapshot) = loaded(&drafts) else { return };
    for (key, value) in &known {
        // Another spelling may be the same domain, or the same host.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-[]:".contains(&b);
        let another = ["xn--", ".]", ".:"].iter().any(|part| key.contains(part)) || key.ends_with('.');
        let no_key = key.starts_with('.') && key.contains([':', '[']);
        if !key.bytes().all(plain) || another || no_key {
            continue;
        }
        let name = key.strip_prefix('.').map_or_else(|| key.clone(), |parent| format!("below.{parent}"));
        // Below a name, the name itself may be in the table.
        let expected = known.get(&name).unwrap_or(value);
        let payload = answer::tls(&snapshot, name.as_bytes()).reply.payload();
        if let Some(policy) = payload.strip_prefix("OK ") {
            assert_eq!(level(policy), level(expected), "{name}: {policy}, and the table has {expected}");
        } else {
            assert!(!refused.is_empty(), "{name}: {payload}, and nothing was refused");
        }
    }
}

fn level(policy: &str) -> Option<&str> {
    policy.split([' ', ',', '\t', '\r']).find(|word| !word.is_empty())
}
