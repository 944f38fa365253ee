//! Directories with configurations whose permissions do not depend on the umask, and the examples.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tempfile::TempDir;

/// The certificates among the files were made for this time: one expired the day before, one is
/// valid three days later, the others for 31 days.
pub fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

/// A copy of a directory whose permissions do not depend on the umask of a checkout.
pub fn copy(from: &Path) -> TempDir {
    fn into(from: &Path, to: &Path) {
        fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                fs::create_dir(&target).unwrap();
                into(&entry.path(), &target);
            } else {
                fs::write(&target, fs::read(entry.path()).unwrap()).unwrap();
                fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
            }
        }
    }
    let directory = tempfile::tempdir().unwrap();
    into(from, directory.path());
    directory
}

/// A directory with these files.
pub fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    directory
}

/// A main file of an example, and the files that it consists of.
pub struct Example {
    pub directory: TempDir,
    pub main: PathBuf,
    pub files: Vec<PathBuf>,
}

/// Every example there is, each in a directory of its own.
pub fn examples() -> Vec<Example> {
    fn toml_files(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                toml_files(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path);
            }
        }
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut examples = Vec::new();
    for from in [root().join("good"), manifest.join("contrib/examples")] {
        let mains = fs::read_dir(&from).unwrap().map(|entry| entry.unwrap().path());
        for main in mains.filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
            let directory = copy(&from);
            let main = directory.path().join(main.file_name().unwrap());
            let mut files = Vec::new();
            toml_files(directory.path(), &mut files);
            let includes = fs::read_to_string(&main).unwrap().contains("\ninclude");
            files.retain(|path| *path == main || (includes && path.parent() != main.parent()));
            files.sort();
            examples.push(Example { directory, main, files });
        }
    }
    assert!(examples.len() >= 4, "{} examples", examples.len());
    examples
}
