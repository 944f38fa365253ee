#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use jiff::Timestamp;

use super::written::Written;
use crate::config::{self, Loaded};

/// Files with nothing in them.
pub(super) fn written() -> Written<'static> {
    const MAIN: &str = "/etc/connectord/connectord.toml";
    let words = |word: &str| vec!["connectord".to_owned(), word.to_owned()];
    Written {
        main: MAIN,
        texts: [(MAIN, "version = 1\n")].into(),
        new: words("new"),
        reload: words("reload"),
        refuses_weaker: false,
    }
}

/// The configuration in a directory, before and after commands that are given for it are run. They are all but the last,
/// which is for the daemon.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new(text: &str) -> Files {
        let files = Files { directory: tempfile::tempdir().unwrap() };
        fs::write(files.main(), text).unwrap();
        files
    }

    fn main(&self) -> String {
        self.directory.path().join("it.toml").display().to_string()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.main()).unwrap()
    }

    fn load(&self) -> Loaded {
        config::load(self.main().as_ref(), Timestamp::now()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn obey(&self, commands: impl FnOnce(&Written<'_>, &Loaded) -> Vec<String>) -> Vec<String> {
        let (main, text, loaded) = (self.main(), self.text(), self.load());
        let reload = ["connectord", "reload"].map(str::to_owned).to_vec();
        let written = Written { main: &main, texts: [(&*main, &*text)].into(), reload, ..Written::default() };
        let commands = commands(&written, &loaded);
        if let Some((last, others)) = commands.split_last() {
            assert_eq!(last, "connectord reload");
            others.iter().for_each(|command| run(command));
        }
        commands
    }
}

fn run(command: &str) {
    assert!(Command::new("sh").args(["-ec", command]).status().unwrap().success(), "{command}");
}

#[test]
fn own_domains_are_added_wherever_they_stand() {
    for (text, expected) in [
        ("version = 1\n", "version = 1\n\n[mta]\nown_domains = [\"a.example\", \"b.example\"]\n"),
        ("version = 1", "version = 1\n[mta]\nown_domains = [\"a.example\", \"b.example\"]\n"),
        (
            "version = 1\n[mta] # of ours\nlevel = \"may\"\n",
            "version = 1\n[mta] # of ours\nown_domains = [\"a.example\", \"b.example\"]\nlevel = \"may\"\n",
        ),
        (
            "version = 1\n[mta]\nown_domains = [\n  \"c.example\",\n]\n",
            "version = 1\n[mta]\nown_domains = [\"a.example\", \"b.example\", \n  \"c.example\",\n]\n",
        ),
        (
            "version = 1\n[mta]\n# own_domains = [] would be none\n  own_domains=['c.example'] # ours\n",
            "version = 1\n[mta]\n# own_domains = [] would be none\n  own_domains=[\"a.example\", \"b.example\", 'c.example'] # ours\n",
        ),
    ] {
        let files = Files::new(text);
        files.obey(|written, _| written.own_domains(["A.example", "b.example"].into_iter(), true));
        assert_eq!(files.text(), expected);
        let own = files.load().agreements.mta.own_domains;
        assert!(["a.example", "b.example"].iter().all(|name| own.covers_name(name)), "{text}");
    }
    for text in [
        "version = 1\nmta = { level = \"may\" }\n",
        "version = 1\nmta.level = \"may\"\n",
        "version = 1\n[ \"mta\" ]\n",
        "version = 1\n[mta]\n\"own_domains\" = [\"c.example\"]\n",
        "version = 1\nmta.own_domains = [\"c.example\"]\n",
    ] {
        let files = Files::new(text);
        assert!(
            files.obey(|written, _| written.own_domains(["a.example"].into_iter(), true)).is_empty(),
            "{text}"
        );
    }
    let files = Files::new("version = 1\n");
    assert!(files.obey(|written, _| written.own_domains(["a b"].into_iter(), true)).is_empty());
    assert!(files.obey(|written, _| written.own_domains(std::iter::empty(), true)).is_empty());
}

/// Somebody types a command a second time, or one that is older than what is in the file.
#[test]
fn what_is_there_is_not_written_again() {
    for text in ["version = 1\n", "version = 1\n[mta]\n"] {
        let files = Files::new(text);
        let commands = files.obey(|written, _| written.own_domains(["a.example"].into_iter(), true));
        let after = files.text();
        run(&commands[0]);
        assert_eq!(files.text(), after);
        files.load();
    }
    let held = "version = 1\n[[inbound]]\nname = \"household\"\nmode = \"enforce\"\nidentify.domains = \
                [\"a.example\"]\nrequire.tls = true\non_violation = \"hold\"\n";
    let files = Files::new(held);
    let commands = files.obey(|written, loaded| written.deferred(loaded.agreements.inbound.iter()));
    for moved in [held.replacen('\n', "\n\n\n\n\n", 1), held.replacen("name", "\n\n\n\nname", 1)] {
        fs::write(files.main(), &moved).unwrap();
        run(&commands[0]);
        assert_eq!(files.text(), moved);
    }
}

#[test]
fn a_link_stays_one() {
    let files = Files::new("version = 1\n[mta]\nown_domains = [\"b.example\"]\n");
    let real = files.directory.path().join("real");
    fs::rename(files.main(), &real).unwrap();
    symlink(&real, files.main()).unwrap();
    files.obey(|written, _| written.own_domains(["a.example"].into_iter(), true));
    assert!(fs::symlink_metadata(files.main()).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("[\"a.example\", \"b.example\"]"));
}

#[test]
fn a_line_within_a_text_is_left_alone() {
    let text = "version = 1\n[[inbound]]\ncomment = \"\"\"\n[mta]\non_violation = \"hold\"\n\"\"\"\nname = \"in\"\nmode = \
                \"enforce\"\nidentify.domains = [\"a.example\"]\nrequire.tls = true\non_violation = \"hold\"\n";
    let files = Files::new(text);
    assert!(files.obey(|written, loaded| written.deferred(loaded.agreements.inbound.iter())).is_empty());
    assert!(files.obey(|written, _| written.own_domains(["a.example"].into_iter(), true)).is_empty());
    // A daemon that refuses what is weaker is told that it is meant.
    let refusing = Written { refuses_weaker: true, ..written() };
    let commands = refusing.own_domains(["a.example"].into_iter(), true);
    assert_eq!(commands[1], "connectord reload --accept-weaker");
    // But not of what else is new in the files.
    let commands = refusing.own_domains(["a.example"].into_iter(), false);
    assert_eq!(commands[1], "connectord reload");
}

#[test]
fn what_would_be_held_is_deferred() {
    let connector = |name: &str, violation: &str| {
        format!(
            "[[inbound]]\nname = \"{name}\"\ncomment = \"on_violation = \\\"hold\\\"\"\nmode = \"enforce\"\n\
                 identify.domains = [\"{name}.example\"]\nrequire.tls = true\n{violation}\n"
        )
    };
    for (violations, expected) in [
        (["on_violation = \"hold\"", "on_violation = \"reject\""], Some(["defer", "reject"])),
        (["on_violation = 'hold' # not hold", "  on_violation=\"hold\""], Some(["defer", "defer"])),
        (["on_violation = \"hold\"", "\"on_violation\" = \"hold\""], None),
    ] {
        let text =
            format!("version = 1\n{}\n{}", connector("one", violations[0]), connector("two", violations[1]));
        let files = Files::new(&text);
        let commands = files.obey(|written, loaded| {
            let held = loaded.agreements.inbound.iter().filter(|own| own.on_violation.word() == "hold");
            written.deferred(held)
        });
        assert_eq!(commands.len(), if expected.is_some() { 2 } else { 0 }, "{commands:?}");
        let inbound = files.load().agreements.inbound;
        let words: Vec<&str> = inbound.iter().map(|connector| connector.on_violation.word()).collect();
        let expected = expected.map_or(vec!["hold", "hold"], |expected| expected.to_vec());
        assert_eq!(words, expected);
    }
}
