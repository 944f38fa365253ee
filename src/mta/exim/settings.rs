//! The settings of an Exim: the values that its options have, from what `exim -bP` prints, and how they are
//! [`written`](super::written).

use std::collections::BTreeMap;

use super::written::Written;

/// The settings of one configuration.
#[derive(Debug, Default)]
pub struct Settings {
    /// The version, such as 4.98.2.
    pub version: String,
    /// The configuration file, which may include others.
    pub file: String,
    main: Options,
    /// In the order in which they are tried.
    pub routers: Vec<Driver>,
    /// The transports.
    pub transports: Vec<Driver>,
    /// The text of the configuration with all that it includes, as `exim -bP config` prints it.
    pub text: String,
    /// What only this text tells.
    pub written: Written,
}

/// Options and their values, defaults included: `true` and `false` for those that are on or off.
type Options = BTreeMap<String, String>;

/// A router or a transport.
#[derive(Debug)]
pub struct Driver {
    /// Its name.
    pub name: String,
    options: Options,
}

/// What the program printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'s> {
    /// With -bV.
    pub version: &'s str,
    /// With -bP alone.
    pub main: &'s str,
    /// With `-bP routers`.
    pub routers: &'s str,
    /// With `-bP transports`.
    pub transports: &'s str,
    /// With `-bP config`.
    pub config: &'s str,
}

/// What it said and nobody expected.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// No version, or no configuration file.
    #[error("exim -bV names no version and configuration file")]
    Version,
    /// A line of the list of routers or transports.
    #[error("exim -bP: no option of a router or transport: {}", .0.escape_debug())]
    Line(String),
    /// A value is kept from whoever asked.
    #[error("Exim shows values that are marked `hide` to administrators only: run this as root")]
    Hidden,
}

/// What stands for a value that is marked `hide` (readconf.c:print_ol).
const HIDDEN: &str = "<value not displayable>";

impl Settings {
    /// Reads what was printed.
    ///
    /// # Errors
    /// It has another form, or something is hidden.
    pub fn parse(said: &Said<'_>) -> Result<Settings, Unreadable> {
        let Said { version, main, routers, transports, config } = *said;
        if [main, routers, transports, config].iter().any(|text| text.contains(HIDDEN)) {
            return Err(Unreadable::Hidden);
        }
        let word = |prefix: &str| {
            let line = version.lines().find_map(|line| line.strip_prefix(prefix));
            line.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned)
        };
        let number = word("Exim version ").ok_or(Unreadable::Version)?;
        let file = word("Configuration file is ").ok_or(Unreadable::Version)?;
        Ok(Settings {
            version: number,
            file,
            main: main.lines().map(option).collect(),
            routers: drivers(routers, " router:")?,
            transports: drivers(transports, " transport:")?,
            text: config.to_owned(),
            written: Written::parse(config),
        })
    }

    /// The value of a main option; empty for one that this version does not have.
    pub fn main(&self, name: &str) -> &str {
        self.main.get(name).map_or("", String::as_str)
    }

    /// A transport by its name.
    pub fn transport(&self, name: &str) -> Option<&Driver> {
        self.transports.iter().find(|transport| transport.name == name)
    }
}

impl Driver {
    /// The value of an option; empty for one that it does not have.
    pub fn option(&self, name: &str) -> &str {
        self.options.get(name).map_or("", String::as_str)
    }

    /// Every value.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// `name = value`, `name` for what is on, `no_name` for what is off.
fn option(line: &str) -> (String, String) {
    let (name, value) = match line.split_once(" =") {
        Some((name, value)) => (name, value.strip_prefix(' ').unwrap_or(value)),
        None => match line.strip_prefix("no_") {
            Some(name) => (name, "false"),
            None => (line, "true"),
        },
    };
    (name.to_owned(), value.to_owned())
}

/// A blank line and `NAME router:` stand before the options of each.
fn drivers(text: &str, title: &str) -> Result<Vec<Driver>, Unreadable> {
    let mut drivers: Vec<Driver> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_suffix(title) {
            drivers.push(Driver { name: name.to_owned(), options: Options::new() });
        } else {
            let driver = drivers.last_mut().ok_or_else(|| Unreadable::Line(line.to_owned()))?;
            driver.options.extend([option(line)]);
        }
    }
    Ok(drivers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const VERSION: &str =
        "Exim version 4.96 #2 built 27-May-2026\nConfiguration file is /etc/exim4/exim4.conf\n";

    #[test]
    fn options_have_values_or_are_on_or_off() {
        let transports = "\nours transport:\nmulti_domain\nno_delivery_date_add\nhosts = a = b\ninterface = \n\n\
                          other transport:\nno_multi_domain\n";
        let main = "acl_smtp_mail = \nno_tls_remember_esmtp\nlog_selector = +tls_peerdn\n";
        let said = Said { version: VERSION, main, transports, ..Said::default() };
        let settings = Settings::parse(&said).unwrap();
        assert_eq!((settings.version.as_str(), settings.file.as_str()), ("4.96", "/etc/exim4/exim4.conf"));
        assert_eq!(settings.main("log_selector"), "+tls_peerdn");
        assert_eq!((settings.main("acl_smtp_mail"), settings.main("unknown")), ("", ""));
        let ours = settings.transport("ours").unwrap();
        let values =
            ["multi_domain", "delivery_date_add", "hosts", "interface"].map(|name| ours.option(name));
        assert_eq!(values, ["true", "false", "a = b", ""]);
        assert_eq!(settings.transports[1].option("multi_domain"), "false");
    }

    #[test]
    fn what_is_hidden_or_not_known_is_told() {
        let nothing = Said { version: VERSION, ..Said::default() };
        for said in [
            Said { version: "Exim version 4.96\n", ..nothing },
            Said { version: "", ..nothing },
            Said { routers: "driver = accept\n", ..nothing },
            Said { main: "mysql_servers = <value not displayable>\n", ..nothing },
        ] {
            assert!(Settings::parse(&said).is_err(), "{said:?}");
        }
        assert!(Settings::parse(&nothing).is_ok());
    }
}
