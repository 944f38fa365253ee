//! Where a path leads, also where nothing is yet: what is made there is made at that place, whatever links are on the way.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Links that the kernel follows too (path_resolution(7)).
const LINKS: usize = 40;

/// The place that an absolute path leads to, without a link on the way.
///
/// # Errors
/// The links have no end, or something on the way cannot be read.
pub fn of(path: &Path) -> io::Result<PathBuf> {
    let mut place = PathBuf::from("/");
    let mut left: VecDeque<OsString> = steps(path).collect();
    let mut links = 0;
    while let Some(step) = left.pop_front() {
        if step == ".." {
            place.pop();
            continue;
        }
        let next = place.join(&step);
        match fs::symlink_metadata(&next) {
            Ok(about) if about.is_symlink() => {
                links += 1;
                if links > LINKS {
                    return Err(nix::errno::Errno::ELOOP.into());
                }
                let target = fs::read_link(&next)?;
                if target.is_absolute() {
                    place = PathBuf::from("/");
                }
                for step in steps(&target).collect::<Vec<_>>().into_iter().rev() {
                    left.push_front(step);
                }
            }
            Ok(_) => place = next,
            Err(error) if error.kind() == io::ErrorKind::NotFound => place = next,
            Err(error) => return Err(error),
        }
    }
    Ok(place)
}

/// The nearest directory or file on the way that is there already.
pub fn nearest(place: &Path) -> &Path {
    place.ancestors().find(|above| above.symlink_metadata().is_ok()).unwrap_or(Path::new("/"))
}

fn steps(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(step) => Some(step.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_also_to_what_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        let at = |name: &str| root.join(name);
        fs::create_dir_all(at("real/etc")).unwrap();
        symlink("real", at("link")).unwrap();
        symlink("../../gone/resolv.conf", at("real/etc/resolv.conf")).unwrap();
        symlink(at("link/etc/resolv.conf"), at("chain")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for (path, expected) in [
            ("link/etc", "real/etc"),
            ("link/etc/new/er", "real/etc/new/er"),
            ("link/../x", "x"),
            ("link/etc/resolv.conf", "gone/resolv.conf"),
            ("chain", "gone/resolv.conf"),
        ] {
            assert_eq!(of(&at(path)).unwrap(), at(expected), "{path}");
        }
        assert!(of(&at("loop")).is_err());
        assert_eq!(nearest(&at("real/etc/new/er")), at("real/etc"));
    }
}
