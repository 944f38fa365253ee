//! The objects of PowerShell, each property with its place; and what is none of its XML.

#![allow(clippy::unwrap_used)]
use super::*;

fn records(xml: &str) -> Result<Vec<Record>, Broken> {
    read(xml, &mut Budget::default())
}

/// A document with these objects.
fn document(objects: &str) -> String {
    format!(
        "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">\r\n{objects}\r\n</Objs>"
    )
}

/// A connector with these properties.
fn connector(properties: &str) -> Record {
    let object = format!("<Obj RefId=\"0\"><TN RefId=\"0\"><T>a</T></TN><Props>{properties}</Props></Obj>");
    records(&document(&object)).unwrap().remove(0)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn texts(all: &[&str]) -> Value {
    Value::List(all.iter().map(|one| text(one)).collect())
}

#[test]
fn a_property_is_what_powershell_had() {
    let number = |digits: &str| Value::Number(digits.to_owned());
    let list = "<Obj N=\"SmartHosts\" RefId=\"1\"><TN RefId=\"1\"><T>System.Object[]</T></TN>";
    for (xml, value) in [
        ("<B N=\"SmartHosts\">true</B>", Value::Bool(true)),
        ("<B N=\"SmartHosts\"> false </B>", Value::Bool(false)),
        ("<Nil N=\"SmartHosts\" />", Value::Null),
        ("<S N=\"SmartHosts\">a.b</S>", text("a.b")),
        ("<S N=\"SmartHosts\" />", text("")),
        ("<S N=\"SmartHosts\">&lt;I&gt;&#67;&#x4E;&amp;<![CDATA[<x>]]></S>", text("<I>CN&<x>")),
        ("<S N=\"SmartHosts\">a_x000A_b_x0_c_xD83D__xDE00__xD83D_</S>", text("a\nb_x0_c\u{1f600}\u{fffd}")),
        ("<I32 N=\"SmartHosts\">2</I32>", number("2")),
        ("<G N=\"SmartHosts\">1-2</G>", text("1-2")),
        ("<DT N=\"SmartHosts\">2026-07-24T18:59:12Z</DT>", text("2026-07-24T18:59:12Z")),
        (&format!("{list}<LST><S>a</S><S>b</S></LST></Obj>"), texts(&["a", "b"])),
        (&format!("{list}<IE><S>a</S></IE></Obj>"), texts(&["a"])),
        (&format!("{list}<LST /></Obj>"), texts(&[])),
        // A list says what is in it, whatever its text is.
        (&format!("{list}<ToString>System.Object[]</ToString><LST><S>a</S></LST></Obj>"), texts(&["a"])),
        (
            &format!(
                "{list}<LST><Obj RefId=\"2\"><ToString>a</ToString><Props><S N=\"Domain\">x</S></Props></Obj></LST></Obj>"
            ),
            texts(&["a"]),
        ),
        // An enumeration, as a word, and where the word is lost.
        (
            "<Obj N=\"SmartHosts\" RefId=\"1\"><TN RefId=\"1\"><T>x</T></TN><ToString>DomainValidation</ToString><I32>2</I32></Obj>",
            text("DomainValidation"),
        ),
        ("<Obj N=\"SmartHosts\" RefId=\"1\"><I32>2</I32></Obj>", number("2")),
        ("<Obj N=\"SmartHosts\" RefId=\"1\"><Props><S N=\"a\">b</S></Props></Obj>", Value::Object),
        ("<SS N=\"SmartHosts\">secret</SS>", Value::Object),
    ] {
        assert_eq!(connector(xml).find("smarthosts").map(|field| &field.value), Some(&value), "{xml}");
    }
}

#[test]
fn both_kinds_of_properties_and_both_kinds_of_lists() {
    let adapted =
        "<Obj RefId=\"0\"><Props><S N=\"Name\">a</S></Props><MS><B N=\"Enabled\">true</B></MS></Obj>";
    let record = records(&document(adapted)).unwrap().remove(0);
    assert!(record.has("Name") && record.has("Enabled"));
    let one = "<Obj RefId=\"1\"><MS><S N=\"Name\">a</S></MS></Obj>";
    let list =
        format!("<Obj RefId=\"0\"><TN RefId=\"0\"><T>System.Object[]</T></TN><LST>{one}{one}</LST></Obj>");
    assert_eq!(records(&document(&list)).unwrap().len(), 2);
    let places: Vec<String> = records(&document(&format!("{one}\n {one}")))
        .unwrap()
        .iter()
        .map(|record| record.place.to_string())
        .collect();
    assert_eq!(places, ["2:1", "3:2"]);
    assert_eq!(records(&document("")).unwrap(), []);
}

#[test]
fn a_reference_is_the_object_that_was_there_before() {
    let record = connector(
        "<Obj N=\"EFUsers\" RefId=\"7\"><LST><S>a</S></LST></Obj><Ref N=\"SmartHosts\" RefId=\"7\" />\
         <Obj N=\"Unknown\" RefId=\"8\"><LST /></Obj><Ref N=\"RecipientDomains\" RefId=\"8\" />",
    );
    assert_eq!(record.find("SmartHosts").unwrap().value, texts(&["a"]));
    assert_eq!(record.find("RecipientDomains").unwrap().value, texts(&[]));
}

#[test]
fn what_is_no_export_is_refused_at_its_place() {
    let deep = format!("<Objs>{}", "<Obj><LST>".repeat(1 << 16));
    let deep_property = format!("<Objs><Obj><Props><Obj N=\"A\"><LST>{}", "<Obj><LST>".repeat(1 << 16));
    let laughs = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol1 \"&lol;&lol;&lol;\">]>\n<Objs><S>&lol1;</S></Objs>";
    for (xml, place, words) in [
        ("<Objs>\n<Obj><Props><S N=\"Name\">a", "2:26", "cut short"),
        ("<Objs><Obj><Props><S N=\"Na", "1:19", "cut short"),
        ("<Objs><Obj>", "1:12", "cut short"),
        ("<?xml version=\"1.0\"?>\n", "2:1", "cut short"),
        (laughs, "1:1", "document type"),
        ("<Objs><Obj><Props><S N=\"Name\">&lol;</S></Props></Obj></Objs>", "1:31", "entity &lol;"),
        ("<Objs><Obj><Props><S N=\"&lol;\">a</S></Props></Obj></Objs>", "1:19", "attribute"),
        ("<Objs><Obj><Props><Ref N=\"Name\" RefId=\"1\"/></Props></Obj></Objs>", "1:44", "not there before"),
        ("<Objs><Obj></Objs>", "1:12", "no XML"),
        ("<Objs><Obj><Props><S>a</S></Props></Obj></Objs>", "1:19", "without its name"),
        ("<Objs><Obj><Props><S N=\"Name\" N=\"Guid\">a</S></Props></Obj></Objs>", "1:19", "or twice"),
        ("<Objs><Obj><Props><S N=\"Name\">a</S></Props><LST /></Obj></Objs>", "1:7", "a list, and has the"),
        ("<Objs><Obj><LST /><MS><B N=\"Enabled\">true</B></MS></Obj></Objs>", "1:7", "a list, and has the"),
        ("<html>", "1:1", "<html> is no beginning"),
        ("<Objs></Objs><Objs/>", "1:14", "<Objs> is no beginning"),
        ("<Objs>text</Objs>", "1:7", "text where"),
        ("<Objs><S>a</S></Objs>", "1:7", "a connector is an <Obj>"),
        ("<Objs><Obj><Props><B N=\"Enabled\">1</B></Props></Obj></Objs>", "1:35", "neither true nor false"),
        ("<Objs><Obj><Props><S N=\"Name\"><x/></S></Props></Obj></Objs>", "1:31", "an element where"),
        (&deep, "1:247", "too deep"),
        (&deep_property, "1:255", "too deep"),
    ] {
        let error = records(xml).unwrap_err();
        assert!(error.message.contains(words), "{error}");
        assert_eq!(error.place.to_string(), place, "{error}");
    }
}

#[test]
fn references_cannot_grow_a_text() {
    let mut lists = "<Obj N=\"A\" RefId=\"1\"><LST><S>lol</S></LST></Obj>".to_owned();
    for level in 1..20 {
        let all = format!("<Ref RefId=\"{level}\" />").repeat(10);
        lists.push_str(&format!("<Obj N=\"A\" RefId=\"{}\"><LST>{all}</LST></Obj>", level + 1));
    }
    let xml = document(&format!("<Obj RefId=\"0\"><Props>{lists}</Props></Obj>"));
    assert!(records(&xml).unwrap_err().message.contains("can be kept"));
}

#[test]
fn an_element_with_many_attributes_is_refused() {
    let mut many = String::new();
    for number in 0..1 << 16 {
        many.push_str(&format!("a{number}=\"b\" "));
    }
    let error = records(&format!("<Objs><Obj><Props><S {many} N=\"Name\">a</S></Props></Obj></Objs>"));
    assert!(error.unwrap_err().message.contains("more attributes"), "a property cannot vanish");
}
