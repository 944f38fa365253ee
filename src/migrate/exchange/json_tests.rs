//! One object or a list, each property with its place; and what is no JSON.

#![allow(clippy::unwrap_used)]
use super::*;

fn records(text: &str) -> Result<Vec<Record>, Broken> {
    read(text, &mut Budget::default())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn one_object_or_a_list() {
    let one = records("{\"Name\": \"a\"}").unwrap();
    assert_eq!(one.len(), 1);
    let many = records("\r\n[ {\"Name\": \"a\"},\n {\"Name\": \"b\"} ]\n").unwrap();
    let names: Vec<_> = many.iter().map(|record| record.find("NAME").unwrap().value.clone()).collect();
    assert_eq!(names, [text("a"), text("b")]);
    let places: Vec<String> = many.iter().map(|record| record.place.to_string()).collect();
    assert_eq!(places, ["2:3", "3:2"]);
    assert_eq!(records("[]").unwrap(), []);
}

#[test]
fn properties_have_their_places() {
    let record = records(
        r#"{
        "Enabled": true, "Unknown": [[[{}]]],
        "SmartHosts": ["a", null, 1, {"x": 1}, ["b"]],
        "TlsDomain": null,
        "TlsSettings": 2,
        "RecipientDomains": {"value": ["a\u002ecom"], "Count": 1},
        "ValidationRecipients": {"value": ["a"], "Count": 2}
    }"#,
    )
    .unwrap()
    .remove(0);
    let number = |digits: &str| Value::Number(digits.to_owned());
    let smart_hosts = Value::List(vec![text("a"), Value::Null, number("1"), Value::Object, Value::Object]);
    for (name, value, place) in [
        ("Enabled", Value::Bool(true), "2:20"),
        ("SmartHosts", smart_hosts, "3:23"),
        ("tlsdomain", Value::Null, "4:22"),
        ("TlsSettings", number("2"), "5:24"),
        ("RecipientDomains", Value::List(vec![text("a.com")]), "6:29"),
        // One is missing.
        ("ValidationRecipients", Value::Object, "7:33"),
    ] {
        let field = record.find(name).unwrap();
        assert_eq!((&field.value, field.place.to_string().as_str()), (&value, place), "{name}");
    }
    assert!(record.doubled().is_none());
}

/// Each level would be read once more for every one around it.
#[test]
fn lists_as_objects_within_one_another_are_not_followed() {
    let levels = 1 << 16;
    let (open, close) = ("{\"value\": [".repeat(levels), "], \"Count\": 1}".repeat(levels));
    let record = records(&format!("{{\"SmartHosts\": {open}{close}}}"));
    assert_eq!(record.unwrap().remove(0).find("SmartHosts").unwrap().value, Value::List(vec![Value::Object]));
    let one = records("{\"SmartHosts\": {\"value\": [{\"value\": [\"a\"], \"Count\": 1}], \"Count\": 1}}");
    let value = &one.unwrap().remove(0).find("SmartHosts").unwrap().value.clone();
    assert_eq!(*value, Value::List(vec![Value::Object]));
}

#[test]
fn a_property_that_is_there_twice_is_known() {
    let record = records("{\"Enabled\": true, \"RequireTls\": 1, \"enabled\": false}").unwrap().remove(0);
    assert_eq!(record.doubled().unwrap().place.to_string(), "1:47");
}

#[test]
fn what_is_no_export_is_refused_at_its_place() {
    let deep = format!("[{}", "[".repeat(1 << 16));
    let deep_property = format!("{{\"Unknown\": {}", "[{\"a\":".repeat(1 << 16));
    for (json, place, words) in [
        ("[{\"Name\": \"a\"},\n{\"Name\": ", "2:9", "cut short"),
        ("{\"Name\": \"a", "1:11", "cut short"),
        ("[{\"Name\": \"a\"}", "1:14", "cut short"),
        (&deep, "1:65537", "cut short"),
        (&deep_property, "1:393228", "cut short"),
        ("[{\"Name\": \"a\"}]\n[]", "2:1", "trailing characters"),
        ("{\"Name\": 'a'}", "1:10", "expected value"),
        ("[\n1]", "2:1", "a connector is an object"),
        ("\"a\"", "1:1", "a connector is an object"),
        ("[{\"Name\": \"\\ud800\"}]", "1:11", "half a character"),
        ("[{\"SmartHosts\": [\"\\ud800\"]}]", "1:17", "half a character"),
        ("{\"\\ud800\": 1}", "1:1", "half a character"),
    ] {
        let error = records(json).unwrap_err();
        assert_eq!(error.place.to_string(), place, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let many = format!("[{}{{}}]", "{},".repeat(10_000));
    let error = records(&many).unwrap_err();
    assert_eq!(error.place.to_string(), "1:30002");
    assert!(error.message.contains("more than 10000 connectors"), "{error}");
    let long = format!("{{\"SmartHosts\": [{}0]}}", "0,".repeat(3_000_000));
    assert!(records(&long).unwrap_err().message.contains("can be kept"));
    // What is not kept costs nothing.
    let other = format!("{{\"Other\": [{}0]}}", "0,".repeat(3_000_000));
    assert_eq!(records(&other).map(|records| records.len()), Ok(1));
}
