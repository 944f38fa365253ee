#![allow(clippy::unwrap_used)]
//! A writer alone: what it leaves, and what it finds.

use std::fs;

use super::*;

fn write(text: &'static str) -> impl FnOnce(&mut dyn Write) -> io::Result<()> {
    move |file| file.write_all(text.as_bytes())
}

fn names(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_writer_alone_takes_away_what_a_killed_one_left_behind() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("made/here");
    let directory = Directory::create(&path).unwrap();
    for what in ["half of it", "a link"] {
        let left = path.join(".x.new");
        match what {
            "a link" => std::os::unix::fs::symlink(parent.path().join("victim"), left).unwrap(),
            _ => fs::write(left, what).unwrap(),
        }
        directory.replace_alone("x", write("whole")).unwrap();
        assert_eq!(fs::read(path.join("x")).unwrap(), b"whole");
        assert_eq!(names(&path), [".x.lock", "x"], "{what}");
    }
    assert!(!parent.path().join("victim").exists());
    for name in ["x", ".x.lock"] {
        assert_eq!(fs::metadata(path.join(name)).unwrap().mode() & 0o7777, 0o600, "{name}");
    }
    for made in [&path, &parent.path().join("made")] {
        assert_eq!(fs::metadata(made).unwrap().mode() & 0o7777, 0o750);
    }
}

#[test]
fn what_cannot_be_written_whole_leaves_the_old_one() {
    let parent = tempfile::tempdir().unwrap();
    let directory = Directory::create(parent.path()).unwrap();
    directory.replace_alone("x", write("old")).unwrap();
    let failing = |file: &mut dyn Write| {
        file.write_all(&[b'n'; 1 << 20])?;
        Err(Errno::EIO.into())
    };
    let error = directory.replace_alone("x", failing).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(nix::libc::EIO));
    assert_eq!(fs::read(parent.path().join("x")).unwrap(), b"old");
    // A directory in its place stays.
    fs::create_dir(parent.path().join("y")).unwrap();
    directory.replace_alone("y", write("new")).unwrap_err();
    assert_eq!(names(parent.path()), [".x.lock", ".y.lock", "x", "y"]);
}

#[test]
fn nobody_else_can_hold_the_lock() {
    let parent = tempfile::tempdir().unwrap();
    let directory = Directory::create(parent.path()).unwrap();
    // Of whoever may open the directory.
    let other = File::open(parent.path()).unwrap();
    let _held = Flock::lock(other, FlockArg::LockExclusiveNonblock).unwrap();
    directory.replace_alone("x", write("whole")).unwrap();
    assert_eq!(fs::read(parent.path().join("x")).unwrap(), b"whole");
}

#[test]
fn two_do_not_write_at_the_same_time() {
    let parent = tempfile::tempdir().unwrap();
    let [first, second] = [(); 2].map(|()| Directory::create(parent.path()).unwrap());
    let meanwhile = |file: &mut dyn Write| {
        let error = second.replace_alone("x", write("second")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        file.write_all(b"first")
    };
    first.replace_alone("x", meanwhile).unwrap();
    assert_eq!(fs::read(parent.path().join("x")).unwrap(), b"first");
    second.replace_alone("x", write("second")).unwrap();
    assert_eq!(fs::read(parent.path().join("x")).unwrap(), b"second");
}
