//! The settings of a Postfix, from what postconf(1) prints of them.
//!
//! A setting is in main.cf, or has a default, and any service in master.cf may have another value for itself
//! (`-o name=value`). What a daemon of Postfix obeys is the second where there is one.

use std::collections::BTreeMap;

/// The settings of one instance.
#[derive(Debug, Default)]
pub struct Settings {
    main: BTreeMap<String, String>,
    /// The same before `$name` is replaced.
    written: BTreeMap<String, String>,
    services: Vec<Service>,
    stressed: Option<Box<Settings>>,
}

/// A line of master.cf.
#[derive(Debug)]
pub struct Service {
    /// Its name and type as postconf(1) takes them: `smtp/unix`.
    pub name: String,
    /// What master.cf says of its chroot; `None`: the default.
    chroot: Option<bool>,
    /// The daemon that it runs: `smtp`, `smtpd`, `cleanup`.
    pub program: String,
    /// What it has for itself, and the same before `$name` is replaced.
    own: BTreeMap<String, String>,
    own_written: BTreeMap<String, String>,
}

/// What postconf(1) prints of one instance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'s> {
    /// With -x.
    pub main: &'s str,
    /// Without an option.
    pub main_written: &'s str,
    /// With -M.
    pub services: &'s str,
    /// With -Px.
    pub own: &'s str,
    /// With -P.
    pub own_written: &'s str,
}

/// `smtp/unix/smtp_fallback_relay = [relay.example]`
fn add_own(services: &mut [Service], line: &str, is_written: bool) -> Option<()> {
    let (path, value) = assignment(line)?;
    let (service, name) = path.rsplit_once('/')?;
    let service = services.iter_mut().find(|known| known.name == service)?;
    let own = if is_written { &mut service.own_written } else { &mut service.own };
    own.insert(name.to_owned(), value.to_owned());
    Some(())
}

/// What postconf(1) said and nobody expected.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A line of its output.
    #[error("postconf {option}: no line of settings: {}", line.escape_debug())]
    Line {
        /// With which option.
        option: &'static str,
        /// The line.
        line: String,
    },
    /// There is no such setting, or it is no version.
    #[error("postconf says no mail_version")]
    Version,
}

impl Settings {
    /// Reads what postconf(1) said.
    ///
    /// # Errors
    /// A line has another form.
    pub fn parse(said: &Said<'_>) -> Result<Settings, Unreadable> {
        let (main, written) = (assignments(said.main, "-x")?, assignments(said.main_written, "")?);
        let unreadable = |option, line: &str| Unreadable::Line { option, line: line.to_owned() };
        let mut services = Vec::new();
        for line in said.services.lines() {
            services.push(Service::parse(line).ok_or_else(|| unreadable("-M", line))?);
        }
        for (text, option, is_written) in [(said.own, "-Px", false), (said.own_written, "-P", true)] {
            for line in text.lines() {
                add_own(&mut services, line, is_written).ok_or_else(|| unreadable(option, line))?;
            }
        }
        Ok(Settings { main, written, services, stressed: None })
    }

    /// The same, with what smtpd(8) obeys when there is more to do than it can.
    #[must_use]
    pub fn with_stressed(self, stressed: Settings) -> Settings {
        Settings { stressed: Some(Box::new(stressed)), ..self }
    }

    /// What smtpd(8) obeys then, if that is known.
    pub fn stressed(&self) -> Option<&Settings> {
        self.stressed.as_deref()
    }

    /// What main.cf or the default says; empty for a setting that this version does not have.
    pub fn main(&self, name: &str) -> &str {
        self.main.get(name).map_or("", String::as_str)
    }

    /// The same as somebody wrote it, with `$name` in it.
    pub fn written(&self, name: &str) -> &str {
        self.written.get(name).map_or("", String::as_str)
    }

    /// Whether this version has such a setting.
    pub fn has(&self, name: &str) -> bool {
        self.main.contains_key(name)
    }

    /// What a service obeys.
    pub fn of<'s>(&'s self, service: &'s Service, name: &str) -> &'s str {
        service.own(name).unwrap_or_else(|| self.main(name))
    }

    /// Every setting of main.cf, or its default, by its name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.main.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The services of master.cf, in its order.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter()
    }

    /// The services that run a daemon.
    pub fn running(&self, program: &str) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(move |service| service.program == program)
    }

    /// The service of this name and type, such as `smtp/unix`.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Whether the processes of a service see nothing outside of the queue directory. The default was yes before
    /// compatibility_level 1 (master_ent.c:get_master_ent).
    pub fn is_chrooted(&self, service: &Service) -> bool {
        service.chroot.unwrap_or_else(|| {
            let level = self.main("compatibility_level");
            let first = level.split(['.', ',']).next().and_then(|number| number.trim().parse::<u32>().ok());
            first.is_none_or(|level| level < 1)
        })
    }

    /// The version, such as 3.7.11.
    ///
    /// # Errors
    /// It is not said.
    pub fn version(&self) -> Result<&str, Unreadable> {
        match self.main("mail_version") {
            "" => Err(Unreadable::Version),
            version => Ok(version),
        }
    }
}

impl Service {
    /// `smtp unix - - y - - smtp -o name=value`: master(5) has eight fields, the last with arguments.
    fn parse(line: &str) -> Option<Service> {
        let mut fields = line.split_whitespace();
        let (name, kind) = (fields.next()?, fields.next()?);
        let (_private, _unprivileged, chroot) = (fields.next()?, fields.next()?, fields.next()?);
        let (_wakeup, _maxproc, program) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Service {
            name: format!("{name}/{kind}"),
            chroot: match chroot {
                "y" => Some(true),
                "n" => Some(false),
                _ => None,
            },
            program: program.to_owned(),
            own: BTreeMap::new(),
            own_written: BTreeMap::new(),
        })
    }

    /// The value that it has for itself.
    pub fn own(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str)
    }

    /// Every setting that it has for itself, by its name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.own.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same as somebody wrote it.
    pub fn written(&self, name: &str) -> &str {
        self.own_written.get(name).map_or("", String::as_str)
    }
}

/// The lines of main.cf, as postconf(1) prints them.
fn assignments(text: &str, option: &'static str) -> Result<BTreeMap<String, String>, Unreadable> {
    let mut settings = BTreeMap::new();
    for line in text.lines() {
        let (name, value) =
            assignment(line).ok_or_else(|| Unreadable::Line { option, line: line.to_owned() })?;
        settings.insert(name.to_owned(), value.to_owned());
    }
    Ok(settings)
}

/// `name = value`, of which the value may be empty.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    Some((name.trim_end(), value.trim_start()))
}

/// The tables of a list, as Postfix takes it apart: at commas and white space, but not within braces
/// (mystrtok.c:mystrtokq).
pub fn tables(list: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let pieces = list.split(move |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && (c == ',' || c.is_ascii_whitespace())
    });
    pieces.filter(|piece| !piece.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SERVICES: &str = "\
smtp       inet  n       -       y       -       -       smtpd
smtp       unix  -       -       y       -       -       smtp
relay      unix  -       -       n       -       -       smtp -o syslog_name=postfix/$service_name
other      unix  -       -       -       -       -       smtp
";

    #[test]
    fn a_service_has_its_own_value_or_that_of_main_cf() {
        let main = "mail_version = 3.7.11\ncompatibility_level = 3.6\nrelayhost =\nsmtp_fallback_relay = [a.example]\n";
        let own = "relay/unix/smtp_fallback_relay = \nrelay/unix/syslog_name = postfix/relay\n";
        let said = Said { main, services: SERVICES, own, ..Said::default() };
        let settings = Settings::parse(&said).unwrap();
        assert_eq!(settings.version().unwrap(), "3.7.11");
        let clients: Vec<&Service> = settings.running("smtp").collect();
        let values: Vec<(&str, &str, bool)> = clients
            .iter()
            .map(|service| {
                (
                    service.name.as_str(),
                    settings.of(service, "smtp_fallback_relay"),
                    settings.is_chrooted(service),
                )
            })
            .collect();
        assert_eq!(
            values,
            [
                ("smtp/unix", "[a.example]", true),
                ("relay/unix", "", false),
                ("other/unix", "[a.example]", false)
            ]
        );
        assert_eq!((settings.main("relayhost"), settings.has("relayhost")), ("", true));
        assert_eq!((settings.main("tls_required_enable"), settings.has("tls_required_enable")), ("", false));
    }

    #[test]
    fn what_is_no_setting_is_told() {
        let nothing = Said::default();
        for said in [
            Said { main: "bogus\n", ..nothing },
            Said { services: "smtp inet n\n", ..nothing },
            Said { services: SERVICES, own: "nobody/unix/relayhost = a\n", ..nothing },
        ] {
            assert!(Settings::parse(&said).is_err(), "{said:?}");
        }
        assert!(Settings::default().version().is_err());
    }

    #[test]
    fn a_list_is_taken_apart_where_postfix_does() {
        for (list, expected) in [
            ("", vec![]),
            ("hash:/etc/a, socketmap:unix:b:tls", vec!["hash:/etc/a", "socketmap:unix:b:tls"]),
            ("hash:/etc/a hash:/etc/b,,", vec!["hash:/etc/a", "hash:/etc/b"]),
            ("inline:{ {a = b}, c=d } x:y", vec!["inline:{ {a = b}, c=d }", "x:y"]),
            ("inline:{a=b}} x:y", vec!["inline:{a=b}}", "x:y"]),
        ] {
            assert_eq!(tables(list), expected, "{list}");
        }
    }
}
