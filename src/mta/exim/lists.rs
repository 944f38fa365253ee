//! Lists of Exim: items between colons, or between what stands behind a `<` at the beginning (spec, "List construction").

/// The items, without the blanks around them. An item that holds the separator has it doubled.
pub fn items(list: &str) -> Vec<String> {
    let list = list.trim();
    let mut rest = list;
    let mut separator = ':';
    if let Some(own) = list.strip_prefix('<') {
        let mut chars = own.chars();
        if let Some(c) = chars.next().filter(char::is_ascii_punctuation) {
            separator = c;
            rest = chars.as_str();
        }
    }
    let mut items = Vec::new();
    let mut item = String::new();
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        if c != separator || chars.next_if_eq(&separator).is_some() {
            item.push(c);
        } else {
            items.push(item.trim().to_owned());
            item.clear();
        }
    }
    // What ends with a separator has no empty item behind it.
    if !item.trim().is_empty() {
        items.push(item.trim().to_owned());
    }
    items
}

/// Whether what no item is about is in the list: so it is when the last item is a negative one (spec, "Address, domain,
/// host, and local part lists").
pub fn takes_the_rest(items: &[String]) -> bool {
    items.last().is_some_and(|item| item.starts_with('!'))
}

/// The file without which a list is for nobody, as that of Debian's router for `hubbed_hosts`.
pub fn file_that_it_needs(domains: &str) -> Option<&str> {
    let (file, _) = domains.strip_prefix("${if exists{")?.split_once('}')?;
    // Of two expansions it is not known whose the `fail` is.
    let is_alone = domains.matches("${").count() == 1;
    (is_alone && domains.ends_with("}fail}") && !file.contains('{')).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_apart_where_exim_does() {
        for (list, expected) in [
            ("", vec![]),
            (":", vec![""]),
            ("*", vec!["*"]),
            (": 127.0.0.1 : ::::1", vec!["", "127.0.0.1", "::1"]),
            ("! +local_domains : +relay_to_domains", vec!["! +local_domains", "+relay_to_domains"]),
            ("<; 0.0.0.0 ; ::", vec!["0.0.0.0", "::"]),
            ("<; 192.0.2.0/24;2001:db8::/32", vec!["192.0.2.0/24", "2001:db8::/32"]),
        ] {
            assert_eq!(items(list), expected, "{list}");
        }
    }

    #[test]
    fn a_list_may_need_a_file() {
        for (list, expected) in [
            ("${if exists{/etc/hubs}{partial-lsearch;/etc/hubs}fail}", Some("/etc/hubs")),
            ("${if exists{/etc/hubs}{partial-lsearch;/etc/hubs}}", None),
            ("${if exists{/etc/hubs}{x}fail} : a.example", None),
            ("${if exists{/etc/hubs}{x}} : ${if exists{/etc/x}{y}fail}", None),
            ("${if exists{/etc/${domain}}{x}fail}", None),
            ("a.example", None),
        ] {
            assert_eq!(file_that_it_needs(list), expected, "{list}");
        }
    }
}
