//! A file that is not there yet, and where it would be.
//!
//! Before somebody's connector is put into place it is read exactly as it would be afterwards: as one more file that the
//! main file includes. Nothing is written for that.

use std::path::{Path, PathBuf};

use glob::Pattern;
use toml::de::DeTable;

use super::files::Files;
use super::include::OPTIONS;

/// A file that is read as if it were there.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its path, as an `include` pattern would find it.
    pub path: PathBuf,
    /// What would be in it.
    pub text: String,
}

/// A directory that files with connectors are put into: that of an `include` pattern with a star in its last part.
#[derive(Clone, Debug)]
pub struct DropIn {
    /// The directory, as the pattern finds it.
    pub directory: PathBuf,
    pattern: Pattern,
}

impl DropIn {
    /// The first that the main file of a configuration includes, if there is one. It exists, or there were a problem.
    pub fn of(main: &Path, files: &Files) -> Option<DropIn> {
        let (_, text) = files.main()?;
        let table = DeTable::parse(text).ok()?;
        let patterns = table.get_ref().get("include")?.get_ref().as_array()?;
        let parent = main.parent().unwrap_or(Path::new(""));
        let mut texts = patterns.iter().filter_map(|pattern| pattern.get_ref().as_str());
        texts.find_map(|text| {
            let (directory, last) = text.rsplit_once('/').unwrap_or(("", text));
            let is_plain = |part: &str| !part.contains(['*', '?', '[']);
            if !is_plain(directory) || is_plain(last) {
                return None;
            }
            // `/*.toml` is in the root directory.
            let directory = if text.starts_with('/') && directory.is_empty() { "/" } else { directory };
            Some(DropIn { directory: parent.join(directory), pattern: Pattern::new(last).ok()? })
        })
    }

    /// The path of a file in it; `None` if the pattern would pass over a file of that name.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let is_found = !name.contains('/') && self.pattern.matches_path_with(Path::new(name), OPTIONS);
        is_found.then(|| self.directory.join(name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use jiff::Timestamp;

    use super::*;

    const CONNECTOR: &str =
        "version = 1\n[[outbound]]\nname = \"a\"\nmode = \"report\"\ndomains = [\"a.example\"]\n";

    #[test]
    fn it_is_read_as_if_it_were_there() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("connectord.toml");
        fs::create_dir(directory.path().join("here.d")).unwrap();
        fs::write(directory.path().join("alone.toml"), "version = 1\n").unwrap();
        let drop_in = || DropIn::of(&main, &super::super::load(&main, Timestamp::now()).unwrap().files);
        fs::write(&main, "version = 1\ninclude = [\"alone.toml\"]\n").unwrap();
        assert!(drop_in().is_none(), "one file");
        fs::write(&main, "version = 1\ninclude = [\"alone.toml\", \"here.d/*.toml\"]\n").unwrap();
        let drop_in = drop_in().unwrap();
        assert_eq!(drop_in.path("a.conf"), None);
        assert_eq!(drop_in.path(".a.toml"), None);
        let path = drop_in.path("a.toml").unwrap();
        let read = |text: String| {
            let planned = Planned { path: path.clone(), text };
            super::super::read_planned(&main, Timestamp::now(), planned)
        };
        let (loaded, problems) = read(format!("{CONNECTOR}tls = \"encrypt\"\n"));
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(loaded.agreements.outbound.len(), 1);
        assert_eq!(loaded.agreements.outbound.first().map(|own| own.place.line), Some(2));
        let (_, problems) = read(CONNECTOR.to_owned());
        let problem = problems.iter().next().unwrap();
        assert_eq!(
            (problem.message.as_str(), &*problem.file),
            ("`tls` is missing", &*path.display().to_string())
        );
        assert!(!path.exists());
    }

    #[test]
    fn the_main_file_may_be_planned_too() {
        let path = PathBuf::from("/nonexistent/main.toml");
        let text = format!("{CONNECTOR}tls = \"encrypt\"\n");
        let planned = Planned { path: path.clone(), text };
        let (loaded, problems) = super::super::read_planned(&path, Timestamp::now(), planned);
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(loaded.agreements.outbound.len(), 1);
    }
}
