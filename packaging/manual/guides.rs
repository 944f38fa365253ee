//! connectord-postfix(7), connectord-exim(7) and connectord-monitoring(7): the guides of `contrib`, and the settings themselves.

use crate::markdown;
use crate::page::Page;

const POSTFIX: &str = include_str!("../../contrib/postfix/README.md");

const EXIM: &str = include_str!("../../contrib/exim/README.md");

const MONITORING: &str = include_str!("../../contrib/monitoring/README.md");

/// Files of `contrib/postfix` by their names.
const SETTINGS: [(&str, &str); 4] = [
    ("main.cf.outbound", include_str!("../../contrib/postfix/main.cf.outbound")),
    ("main.cf.inbound", include_str!("../../contrib/postfix/main.cf.inbound")),
    ("master.cf.connectord", include_str!("../../contrib/postfix/master.cf.connectord")),
    ("master.cf.after-filter", include_str!("../../contrib/postfix/master.cf.after-filter")),
];

/// The pages.
pub fn pages() -> [(String, String); 3] {
    let mut postfix = Page::new("connectord-postfix", "7", "connectord and Postfix");
    markdown::add(POSTFIX, &mut postfix);
    for (name, text) in SETTINGS {
        postfix.section(name);
        postfix.code(text);
    }
    see_also(&mut postfix, "connectord-exim(7), postconf(5), SMTPD_POLICY_README, socketmap_table(5)");
    let mut exim = Page::new("connectord-exim", "7", "connectord and Exim");
    markdown::add(EXIM, &mut exim);
    see_also(&mut exim, "connectord-postfix(7), exim4(8)");
    let mut monitoring = Page::new("connectord-monitoring", "7", "connectord and monitoring");
    markdown::add(MONITORING, &mut monitoring);
    see_also(&mut monitoring, "connectord-status(8), connectord-doctor(8), systemd.socket(5)");
    [("connectord-postfix", postfix), ("connectord-exim", exim), ("connectord-monitoring", monitoring)]
        .map(|(name, page)| (format!("{name}.7"), page.render()))
}

fn see_also(page: &mut Page, others: &str) {
    page.section("see also");
    page.paragraph(&format!("connectord(8), connectord.toml(5), {others}"));
}
