//! `import exchange` of what no PowerShell wrote: refused with its place, within bounds of memory and of time.
//!
//! The kernel holds the bounds: the binary runs with a limit on its address space and one on its processor time, and
//! whoever needs more is ended by a signal, or by its own allocator.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use crate::bench::{BINARY, Bench, Ended, ended};

/// Address space in KiB, for any file: eight times the largest one that is read.
const MEMORY: u32 = 512 << 10;

/// Seconds of processor time. It takes a tenth of that without optimisation; it is there for what would take for ever.
const TIME: u32 = 120;

/// The octets of a large file, which is read within seconds without optimisation too.
const LARGE: usize = 8 << 20;

/// Nearly those of the largest one that is read.
const LARGEST: usize = 63 << 20;

fn import(path: &Path) -> Ended {
    let script = format!("ulimit -v {MEMORY} && ulimit -t {TIME} && exec \"$0\" import exchange \"$1\"");
    ended(Command::new("sh").arg("-c").arg(script).arg(BINARY).arg(path))
}

/// A part, as often as it takes to be so long.
fn filled(length: usize, beginning: &str, part: &str, end: &str) -> Vec<u8> {
    format!("{beginning}{}{end}", part.repeat(length / part.len())).into_bytes()
}

fn large(beginning: &str, part: &str, end: &str) -> Vec<u8> {
    filled(LARGE, beginning, part, end)
}

fn utf16(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// What comes of these bytes: one reason, at this place.
#[track_caller]
fn refused(bytes: &[u8], place: &str, words: &str) {
    let bench = Bench::new("");
    let path = bench.path("export");
    fs::write(&path, bytes).unwrap();
    let Ended { code, stdout, stderr } = import(&path);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.ends_with("\nversion = 1\n"), "{stdout}");
    let expected = format!("not imported: {}:{place}: ", path.display());
    assert!(stderr.starts_with(&expected), "{stderr}\n{expected}");
    assert!(stderr.contains(words) && stderr.len() < 2000, "{stderr}\n{words}");
    assert!(stderr.contains("\n0 connectors imported, 0 to look at, 1 not imported\n"), "{stderr}");
}

/// The limit is one: a program that takes more does not come through.
#[test]
fn the_bounds_are_held() {
    let script = format!("ulimit -v {MEMORY} && exec head -c 1G /dev/zero | tail -c 1G");
    let ended = ended(Command::new("sh").arg("-c").arg(format!("{script} >/dev/null")));
    assert_ne!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn what_is_too_large_is_not_read() {
    let bench = Bench::new("");
    let path = bench.path("export");
    File::create(&path).unwrap().set_len(100 << 20).unwrap();
    for path in [path.as_path(), Path::new("/dev/zero")] {
        let ended = import(path);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let expected =
            format!("not imported: {}:1: column 1: the file is larger than 64 MiB", path.display());
        assert!(ended.stderr.starts_with(&expected), "{ended:?}");
    }
}

#[test]
fn deep_json() {
    refused(&large("", "[", ""), "1: column 8388608", "cut short");
    refused(&large("[{\"Other\": ", "[", ""), "1: column 8388619", "cut short");
    refused(&large("{\"SmartHosts\": ", "{\"a\":", ""), "1: column 8388620", "cut short");
}

#[test]
fn deep_xml() {
    refused(&large("<Objs>", "<Obj><LST>", ""), "1: column 247", "too deep");
    refused(&large("<Objs><Obj><Props>\n", "<Obj N=\"SmartHosts\"><LST>", ""), "2: column 576", "too deep");
    refused(&large("<Objs><Obj>", "<Other>", ""), "1: column 8388616", "cut short");
}

#[test]
fn much_json() {
    refused(&large("[", "{},\n", "{}]"), "10001: column 1", "more than 10000 connectors");
    refused(&large("{\n\"SmartHosts\": [", "0,", "0]}"), "2: column 15", "can be kept");
    let long = filled(LARGEST, "{\n\"Name\": \"", "x", "\"}");
    refused(&long, &format!("1: {}…", "x".repeat(200)), "none of what");
}

#[test]
fn much_xml() {
    refused(&large("<Objs>\n", "<Obj/>", "</Objs>"), "2: column 60001", "more than 10000 connectors");
    refused(&large("<Objs><Obj><MS>\n", "<B N=\"a\">true</B>", "</MS></Obj></Objs>"), "1", "none of what");
    refused(
        &large("<Objs><Obj><MS>\n", "<B>true</B>", "</MS></Obj></Objs>"),
        "2: column 1",
        "without its name",
    );
    let values = filled(3 * LARGE, "<Objs><Obj><MS>\n", "<S N=\"a\"/>", "</MS></Obj></Objs>");
    refused(&values, "2: column 20971521", "can be kept");
    refused(&large("<Objs><Obj ", "a=\"b\" ", "/></Objs>"), "1", "none of what");
    refused(&large("<Objs>", "<!-- -->", ""), "1: column 8388615", "cut short");
    let long = filled(LARGEST, "<Objs><Obj><MS><S N=\"Name\">", "x", "</S></MS></Obj></Objs>");
    refused(&long, &format!("1: {}…", "x".repeat(200)), "none of what");
}

/// A billion laughs, as entities and as references.
#[test]
fn what_would_grow_is_not_read() {
    let mut entities = "<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [<!ENTITY lol0 \"lol\">".to_owned();
    let mut lists =
        "<Objs><Obj><Props>\n<Obj N=\"SmartHosts\" RefId=\"0\"><LST><S>lol</S></LST></Obj>".to_owned();
    for level in 1..10 {
        let name = level - 1;
        entities.push_str(&format!("<!ENTITY lol{level} \"{}\">", format!("&lol{name};").repeat(10)));
        let all = format!("<Ref RefId=\"{name}\"/>").repeat(10);
        lists.push_str(&format!("\n<Obj N=\"SmartHosts\" RefId=\"{level}\"><LST>{all}</LST></Obj>"));
    }
    entities.push_str("]>\n<Objs><Obj><Props><S N=\"Name\">&lol9;</S></Props></Obj></Objs>");
    lists.push_str("</Props></Obj></Objs>");
    refused(entities.as_bytes(), "2: column 1", "a document type");
    refused(lists.as_bytes(), "8: column 132", "can be kept");
    let external = "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><Objs/>";
    refused(external.as_bytes(), "1: column 1", "a document type");
    refused(b"<Objs><Obj><Props><S N=\"Name\">&a;</S></Props></Obj></Objs>", "1: column 31", "&a;");
}

#[test]
fn what_is_in_another_encoding() {
    refused(b"[{\"Name\": \"caf\xe9\"}]", "1: column 15", "no UTF-8");
    refused(&[0xff, 0xfe, b'[', 0, 0x00, 0xd8, b']', 0], "1: column 2", "half a character");
    let utf32: Vec<u8> = "\u{feff}[]".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    refused(&utf32, "1: column 1", "UTF-32");
    refused(b"PK\x03\x04", "1: column 1", "neither JSON nor Clixml");
    refused(&[0; 1000], "1: column 1", "neither JSON nor Clixml");
    // Half as many characters, each of them with three octets of UTF-8.
    let wide = utf16("\u{4e00}".repeat(30 << 20).as_bytes());
    refused(&wide, "1: column 1", "neither JSON nor Clixml");
}

/// One range of addresses may be hundreds of ours.
#[test]
fn many_ranges() {
    let ranges = "\"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\",".repeat(1 << 18);
    let connector = format!(
        "{{\"Name\": \"a\", \"Enabled\": true, \"RequireTLS\": true, \"Bindings\": [],\n\"RemoteIPRanges\": [{ranges}\"::1\"]}}"
    );
    refused(connector.as_bytes(), "2: a", "more than 10000 ranges");
}

/// Wherever an export ends, nothing of it is imported.
#[test]
fn an_export_that_is_cut_short() {
    let json = "[{\"Name\": \"a\", \"SmartHosts\": [\"\u{fc}\"]},\n{\"Name\": \"b\"}]".to_owned();
    let xml = "<Objs><Obj RefId=\"0\"><MS><S N=\"Name\">&lt;</S>\n<Nil N=\"Comment\" /></MS></Obj></Objs>"
        .to_owned();
    let bench = Bench::new("");
    let path = bench.path("export");
    for text in [json, xml] {
        for bytes in [text.clone().into_bytes(), utf16(text.as_bytes())] {
            for end in (3..bytes.len()).step_by(5) {
                fs::write(&path, &bytes[..end]).unwrap();
                let ended = ended(Command::new(BINARY).arg("import").arg("exchange").arg(&path));
                assert_eq!(ended.code, Some(1), "{end} {ended:?}");
                assert!(
                    ended.stderr.contains(": column ") && ended.stdout.ends_with("version = 1\n"),
                    "{end} {ended:?}"
                );
            }
        }
    }
}
