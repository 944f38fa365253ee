//! The queue of our Exim: mail that is taken and not yet tried, and mail that is tried side by side.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::exim::Exim;
use crate::lab::{DEFERRED, Mta as _};
use crate::machine::Machine;

/// One message for each line; the input says to whom.
const ENQUEUE: &str = r#"while read -r recipient; do
    printf 'Subject: interop\n\nhello\n' | exim4 -odq -f sender@ours.example -- "$recipient"
done"#;

/// Each message once, whatever the retry times. Some wait three seconds for an answer that never
/// comes, so they wait together.
const TRY_ALL: &str =
    "find /var/spool/exim4/input -name '*-H' -printf '%f\\n' | sed 's/-H$//' | xargs -r -n 1 -P 24 exim4 -M";

impl Exim {
    /// Takes in one message for each recipient, by the command line, as programs on the host send: no
    /// ACL is asked.
    pub fn enqueue<'r>(&self, machine: &Machine, recipients: impl IntoIterator<Item = &'r str>) {
        let list: String = recipients.into_iter().map(|recipient| format!("{recipient}\n")).collect();
        let mut shell = machine.command("sh").args(["-c", ENQUEUE]).stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
    }

    /// Tries every message in the queue, many at a time; returns when each was tried once.
    pub fn try_all(&self, machine: &Machine) {
        machine.run("sh", &["-c", TRY_ALL]);
    }

    /// Every message of which the log says that it waits is in the spool, nothing else is, and none
    /// is frozen.
    pub fn nothing_lost(&self, machine: &Machine) {
        let spool = fs::read_dir(machine.directory().join("spool/input")).unwrap();
        let names = spool.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let kept: BTreeSet<String> =
            names.filter_map(|name| name.strip_suffix("-H").map(str::to_owned)).collect();
        let queue = self.queue(machine);
        let told: BTreeSet<String> =
            queue.iter().filter(|queued| queued.queue == DEFERRED).map(|queued| queued.id.clone()).collect();
        assert_eq!(told, kept, "the log, and the spool");
        assert_eq!(queue.len(), told.len(), "bounced: {queue:?}");
        let log = self.log(machine);
        assert!(!log.contains("Frozen"), "{log}");
    }
}
