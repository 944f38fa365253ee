//! The TXT record that announces a policy (RFC 8461 section 3.1). Pure.

/// What every such record begins with; others at the name are passed over.
const VERSION: &[u8] = b"v=STSv1;";

/// Why the records announce no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// None of them is for MTA-STS.
    #[error("no TXT record begins with `v=STSv1;`")]
    None,
    /// Several are.
    #[error("{0} TXT records begin with `v=STSv1;` where one may")]
    Several(usize),
    /// The one has something that is no `name=value`.
    #[error("the TXT record is malformed")]
    Malformed,
    /// The one has no id, or one that is not 1 to 32 letters and digits.
    #[error("the TXT record has no valid `id`")]
    Id,
}

/// Reads the id of the policy that is announced.
///
/// # Errors
/// [`Problem`]: to a sender it is as if the domain had no policy.
pub fn id(records: &[Vec<u8>]) -> Result<&str, Problem> {
    let mut announcements = records.iter().filter_map(|record| record.strip_prefix(VERSION));
    let fields = announcements.next().ok_or(Problem::None)?;
    match announcements.count() {
        0 => {}
        others => return Err(Problem::Several(others + 1)),
    }
    let fields = std::str::from_utf8(fields).map_err(|_| Problem::Malformed)?;
    let fields = fields.strip_suffix([' ', '\t']).map_or(fields, |rest| rest.trim_end_matches(WSP));
    let fields = fields.strip_suffix(';').unwrap_or(fields);
    let mut id = None;
    for field in fields.split(';') {
        let (name, value) = field.trim_matches(WSP).split_once('=').ok_or(Problem::Malformed)?;
        if !is_name(name) || value.is_empty() || !value.bytes().all(is_value) {
            return Err(Problem::Malformed);
        }
        if name == "id" && id.is_none() {
            id = Some(value);
        }
    }
    id.filter(|id| id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())).ok_or(Problem::Id)
}

/// RFC 5234's WSP.
pub(super) const WSP: [char; 2] = [' ', '\t'];

/// `sts-ext-name`, of which `id` is one: 32 at most, and a letter or digit first.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// `sts-ext-value`: printable, neither `=` nor `;` nor a space.
fn is_value(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'=' && byte != b';'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements() {
        let longest = format!("v=STSv1; id={};", "a".repeat(32));
        let too_long = format!("v=STSv1; id={};", "a".repeat(33));
        type Row<'a> = (&'a [&'a str], Result<&'a str, Problem>);
        let longest_id = "a".repeat(32);
        let table: [Row<'_>; 25] = [
            (&["v=STSv1; id=20160831085700Z;"], Ok("20160831085700Z")),
            (&["v=STSv1;id=1"], Ok("1")),
            (&["v=STSv1; id=1"], Ok("1")),
            (&["v=STSv1;\tid=1 ; "], Ok("1")),
            (&["v=STSv1; x-y.z=a,b; id=1; q=2"], Ok("1")),
            (&["v=STSv1; id=1; id=2;"], Ok("1")),
            (&["v=spf1 -all", "v=STSv1; id=1;", "other"], Ok("1")),
            (&[&longest], Ok(&longest_id)),
            (&[], Err(Problem::None)),
            (&["v=spf1 -all"], Err(Problem::None)),
            (&["v=STSv1"], Err(Problem::None)),
            (&["v=STSv2; id=1;"], Err(Problem::None)),
            (&["V=STSv1; id=1;"], Err(Problem::None)),
            (&["v=stsv1; id=1;"], Err(Problem::None)),
            (&[" v=STSv1; id=1;"], Err(Problem::None)),
            (&["v=STSv1; id=1;", "v=STSv1; id=1;"], Err(Problem::Several(2))),
            (&["v=STSv1; id=1;", "v=STSv1; id=2;", "v=STSv1;"], Err(Problem::Several(3))),
            (&["v=STSv1;"], Err(Problem::Malformed)),
            (&["v=STSv1; id"], Err(Problem::Malformed)),
            (&["v=STSv1; id=;"], Err(Problem::Malformed)),
            (&["v=STSv1; id=1;; "], Err(Problem::Malformed)),
            (&["v=STSv1; id=1; a b=c"], Err(Problem::Malformed)),
            (&["v=STSv1; mode=enforce;"], Err(Problem::Id)),
            (&["v=STSv1; id=2016-08-31;"], Err(Problem::Id)),
            (&[&too_long], Err(Problem::Id)),
        ];
        for (records, expected) in table {
            let bytes: Vec<Vec<u8>> = records.iter().map(|text| text.as_bytes().to_vec()).collect();
            assert_eq!(id(&bytes), expected, "{records:?}");
        }
        assert_eq!(id(&[b"v=STSv1; id=\xff;".to_vec()]), Err(Problem::Malformed));
    }
}
