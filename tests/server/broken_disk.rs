//! A file system whose disk is broken: files can be made in it and removed, and every write is
//! answered with EIO. The kernel asks this process about it (FUSE, linux/fuse.h).

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount};

/// Longer than any request, with the longest write that we allow (FUSE_MIN_READ_BUFFER and more).
const LONGEST: usize = 256 << 10;

/// Requests of the kernel that we know: `enum fuse_opcode`.
mod opcode {
    pub const LOOKUP: u32 = 1;
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const SETATTR: u32 = 4;
    pub const UNLINK: u32 = 10;
    pub const WRITE: u32 = 16;
    pub const RELEASE: u32 = 18;
    pub const INIT: u32 = 26;
    pub const OPENDIR: u32 = 27;
    pub const RELEASEDIR: u32 = 29;
    pub const CREATE: u32 = 35;
}

/// The root, and the only file there can be.
const ROOT: u64 = 1;
const THE_FILE: u64 = 2;

/// Mounts it; how many writes it has refused. To be called in mounts of one's own.
pub fn mounted(at: &Path) -> Arc<AtomicUsize> {
    let device = File::options().read(true).write(true).open("/dev/fuse").unwrap();
    let options = format!("fd={},rootmode=40700,user_id=0,group_id=0", device.as_raw_fd());
    mount(Some("broken"), at, Some("fuse.broken"), MsFlags::empty(), Some(options.as_str())).unwrap();
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    thread::spawn(move || serve(device, &counted));
    refused
}

fn serve(mut device: File, refused: &AtomicUsize) {
    let mut request = vec![0; LONGEST];
    // It ends with the mount.
    while let Ok(length) = device.read(&mut request) {
        let number = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        let [opcode, low, high, node] = [number(4), number(8), number(12), number(16)];
        assert!(length >= 40, "a header");
        let answer = match opcode {
            opcode::FORGET => continue,
            // Version 7.31; of its sizes the kernel takes the least.
            opcode::INIT => Ok(words(&[7, 31, 0, 0, 0, 128 << 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            opcode::GETATTR | opcode::SETATTR => Ok([vec![0; 16], attributes(node.into())].concat()),
            opcode::OPENDIR => Ok(vec![0; 16]),
            opcode::CREATE => Ok([entry(), vec![0; 16]].concat()),
            opcode::UNLINK | opcode::RELEASE | opcode::RELEASEDIR => Ok(Vec::new()),
            opcode::LOOKUP => Err(Errno::ENOENT),
            opcode::WRITE => {
                refused.fetch_add(1, Ordering::Relaxed);
                Err(Errno::EIO)
            }
            _ => Err(Errno::ENOSYS),
        };
        let (error, body) = match answer {
            Ok(body) => (0, body),
            Err(errno) => (-(errno as i32), Vec::new()),
        };
        let length = u32::try_from(16 + body.len()).unwrap();
        let header = [length.to_ne_bytes(), error.to_ne_bytes(), low.to_ne_bytes(), high.to_ne_bytes()];
        // Refused when whoever asked is gone.
        let _ = device.write_all(&[header.concat(), body].concat());
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// `struct fuse_entry_out`.
fn entry() -> Vec<u8> {
    let mut entry = THE_FILE.to_ne_bytes().to_vec();
    entry.extend([0; 32]);
    entry.extend(attributes(THE_FILE));
    entry
}

/// `struct fuse_attr`: number, size, blocks and times; then mode, links, owner and the rest.
fn attributes(node: u64) -> Vec<u8> {
    let mode = if node == ROOT { libc::S_IFDIR | 0o700 } else { libc::S_IFREG | 0o600 };
    let mut attributes = node.to_ne_bytes().to_vec();
    attributes.extend([0; 52]);
    attributes.extend(words(&[mode, 1, 0, 0, 0, 4096, 0]));
    attributes
}
