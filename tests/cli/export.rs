//! `export postfix`.

use crate::bench::{BINARY, Bench, CONFIGURATION, ended};

#[test]
fn tables_are_written_with_where_they_come_from() {
    let bench = Bench::new(CONFIGURATION);
    let rows = |map: &str| -> Vec<String> {
        let text = bench.run(&["export", "postfix", "--map", map]).expect(0).stdout;
        assert!(
            text.starts_with(&format!("# Written by `connectord export postfix --map {map}` ")),
            "{text}"
        );
        let digest = text.lines().nth(1).unwrap().trim_start_matches("# ").trim_end_matches('.');
        assert!(digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()), "{text}");
        let file = bench.path("connectord.toml");
        let from =
            format!("# It is that of {}, read by connectord {}.", file.display(), env!("CARGO_PKG_VERSION"));
        assert_eq!(text.lines().nth(2), Some(from.as_str()));
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    let tls = rows("tls");
    for row in [
        "contoso.com secure match=contoso.com:.contoso.com",
        ".contoso.com secure match=contoso.com:.contoso.com",
        "lists.contoso.com may",
        ".example encrypt",
        "b\u{fc}cher.example secure match=contoso.com:.contoso.com",
        "[mail.contoso.com]:587 secure match=contoso.com:.contoso.com",
        "[192.0.2.7] secure match=contoso.com:.contoso.com",
    ] {
        assert!(tls.iter().any(|line| line == row), "{row} in {tls:#?}");
    }
    assert!(tls.iter().all(|line| !line.contains("fabrikam")), "a connector that is off: {tls:#?}");
    let transport = rows("transport");
    for row in [
        "contoso.net smtp:[mail.contoso.com]:587, [192.0.2.7]",
        "our.contoso.com :",
        "lists.contoso.com :",
        ".example smtp:",
    ] {
        assert!(transport.iter().any(|line| line == row), "{row} in {transport:#?}");
    }
}

#[test]
fn the_path_of_the_configuration_writes_no_line_of_its_own() {
    let bench = Bench::new(CONFIGURATION);
    let path = bench.path("a\nevil.example may\n.toml");
    std::fs::copy(bench.path("connectord.toml"), &path).unwrap();
    let mut command = std::process::Command::new(BINARY);
    let ended = ended(command.args(["export", "postfix", "--map", "tls", "--config"]).arg(&path)).expect(0);
    assert!(ended.stdout.lines().all(|line| !line.starts_with("evil")), "{}", ended.stdout);
}
