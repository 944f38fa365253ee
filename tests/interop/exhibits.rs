//! The certificates over which `validate` has to agree with Postfix: every way in which a chain or
//! a name can be right, wrong, or odd.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::ssl::{SslContext, SslMethod, SslVersion};
use openssl::x509::X509;

use crate::certificates::Authority;
use crate::forge::{
    ANY_PURPOSE, CERTIFIES, CLIENT_AUTH, Form, Kind, Made, SERVER_AUTH, SIGNS, YEAR, der, dns,
};

/// A server's certificate, and how it is presented.
pub struct Exhibit {
    /// The last number of its host's address.
    pub number: u8,
    /// The label of the partner's domain, `LABEL.example`; its host is `mx.LABEL.example`.
    pub label: String,
    pub leaf: Made,
    /// What is presented behind the leaf.
    pub behind: Vec<Made>,
    pub newest: Option<SslVersion>,
}

impl Exhibit {
    pub fn host(&self) -> String {
        format!("mx.{}.example", self.label)
    }

    /// A server that presents it, and is not squeamish.
    pub fn server(&self) -> SslContext {
        let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
        context.set_security_level(0);
        context.set_min_proto_version(None).unwrap();
        context.set_max_proto_version(self.newest).unwrap();
        context.set_certificate(&self.leaf.certificate).unwrap();
        context.set_private_key(&self.leaf.key).unwrap();
        for made in &self.behind {
            context.add_extra_chain_cert(made.certificate.clone()).unwrap();
        }
        context.build()
    }
}

/// The authority that our mail server trusts, as the forge has it.
pub fn root(authority: &Authority) -> Made {
    Made {
        certificate: X509::from_pem(authority.pem().as_bytes()).unwrap(),
        key: PKey::private_key_from_pem(authority.key_pem().as_bytes()).unwrap(),
    }
}

/// Those who sign.
pub struct Signers {
    pub root: Made,
    pub inter: Made,
    pub other: Made,
}

impl Signers {
    pub fn new(authority: &Authority) -> Signers {
        let root = root(authority);
        let inter = Form::ca("Lab Intermediate").issued_by(&root);
        Signers { root, inter, other: Form::ca("Other CA").self_signed() }
    }
}

/// Collects exhibits.
struct Collection<'a> {
    signers: &'a Signers,
    exhibits: Vec<Exhibit>,
}

impl Collection<'_> {
    fn add(&mut self, label: &str, leaf: Made, behind: &[&Made]) {
        let behind = behind.iter().map(|made| (*made).clone()).collect();
        let number = self.next();
        self.exhibits.push(Exhibit { number, label: label.to_owned(), leaf, behind, newest: None });
    }

    /// The number that the next one has.
    fn next(&self) -> u8 {
        10 + u8::try_from(self.exhibits.len()).unwrap()
    }

    /// Signed by the root, presented alone.
    fn direct(&mut self, label: &str, form: &Form) {
        let leaf = form.issued_by(&self.signers.root);
        self.add(label, leaf, &[]);
    }

    /// A dNSName for each pattern; `@` stands for the domain.
    fn named(&mut self, label: &str, names: &[&str]) {
        let names: Vec<String> =
            names.iter().map(|name| name.replace('@', &format!("{label}.example"))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.direct(label, &Form::server(&names));
    }
}

/// A server with the name of the label's host.
fn right(label: &str) -> Form {
    Form::server(&[&format!("mx.{label}.example")])
}

/// All of them.
pub fn all(signers: &Signers) -> Vec<Exhibit> {
    let mut collection = Collection { signers, exhibits: Vec::new() };
    names(&mut collection);
    texts(&mut collection);
    chains(&mut collection);
    authorities(&mut collection);
    purposes(&mut collection);
    strengths(&mut collection);
    collection.exhibits
}

/// Names as they are written in the alternative names.
fn names(collection: &mut Collection<'_>) {
    collection.named("good", &["mx.@"]);
    collection.named("wildcard", &["*.@"]);
    collection.named("deeper", &["*.mx.@"]);
    collection.named("partial", &["m*.@"]);
    collection.named("middle", &["mx.*.@"]);
    collection.named("twostars", &["*.*.@"]);
    collection.named("starexample", &["*.example"]);
    collection.named("upper", &["MX.UPPER.EXAMPLE"]);
    collection.named("underscore", &["m_x.@"]);
    collection.named("underscore2", &["*._x.@"]);
    collection.named("dot", &["mx.@."]);
    collection.named("dots", &["mx..@"]);
    collection.named("leadingdot", &[".@"]);
    collection.named("dash", &["-mx.@"]);
    collection.named("space", &["m x.@"]);
    collection.named("apex", &["@"]);
    collection.named("asked", &["secure-domain.@", "verify-domain.@"]);
    collection.named("askedbelow", &["*.secure-domain.@", "a.b.verify-domain.@"]);
    collection.named("elsewhere", &["mx.filter.example"]);
    collection.named("glued", &["evilglued.example"]);
    collection.named("longer", &["xmx.@", "mx.@.evil.example"]);
    collection.named("xn--bcher-kva", &["mx.@"]);
    let many: Vec<String> = (0..99).map(|number| format!("host{number}.many.example")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    many.push("mx.many.example");
    collection.named("many", &many);
}

/// Alternative names of other kinds, and common names.
fn texts(collection: &mut Collection<'_>) {
    let unicode = idna::domain_to_ascii("bücherei").unwrap();
    let utf8 = Form { alternative: vec![dns("mx.bücherei.example")], ..right("x") };
    collection.direct(&unicode, &utf8);
    collection.named("nul", &["mx.@\0.evil.example"]);
    collection.named("foreign", &["mü.@"]);
    collection.named("nul2", &["evil\0.@"]);
    let address =
        |number: u8, form: Form| Form { alternative: vec![der(0x87, &[192, 0, 2, number])], ..form };
    let mail = |form: Form| Form { alternative: vec![der(0x81, b"postmaster@mail.example")], ..form };
    collection.direct("ip", &address(collection.next(), Form::named(&["mx.ip.example"])));
    collection.direct("iponly", &address(collection.next(), Form::server(&[])));
    collection.direct("otherip", &address(9, Form::server(&[])));
    collection.direct("mail", &mail(Form::named(&["mx.mail.example"])));
    collection.direct("mailonly", &mail(Form::server(&[])));
    collection.direct("cn", &Form::named(&["mx.cn.example"]));
    collection.direct("cnwild", &Form::named(&["*.cnwild.example"]));
    collection.direct("cnpartial", &Form::named(&["m*.cnpartial.example"]));
    collection.direct("cnnul", &Form::named(&["mx.cnnul.example\0"]));
    collection.direct("cncontrol", &Form::named(&["m\tx.cncontrol.example"]));
    collection.direct("cns", &Form::named(&["Partner Bank", "mx.cns.example"]));
    let beside =
        Form { alternative: vec![dns("mx.elsewhere.example")], ..Form::named(&["mx.beside.example"]) };
    collection.direct("beside", &beside);
    let both = Form { alternative: vec![dns("mx.both.example")], ..Form::named(&["mx.elsewhere.example"]) };
    collection.direct("both", &both);
    let garbage = Form { alternative: vec![vec![0x82, 0x7f, 0]], ..Form::named(&["mx.garbage.example"]) };
    collection.direct("garbage", &garbage);
    let second = ("2.5.29.17", false, der(0x30, &dns("mx.double.example")));
    collection.direct("double", &Form { others: vec![second], ..right("double") });
    let critical = ("1.2.3.4.5", true, vec![5, 0]);
    collection.direct("critical", &Form { others: vec![critical], ..right("critical") });
    collection.direct("version1", &Form { version1: true, ..Form::named(&["mx.version1.example"]) });
}

/// What is presented, and when it is valid.
fn chains(collection: &mut Collection<'_>) {
    let Signers { root, inter, other } = collection.signers;
    let past = |form: Form| Form { from: form.from - YEAR, to: form.from, ..form };
    let future = |form: Form| Form { from: form.to, to: form.to + YEAR, ..form };
    let stranger = Form::ca("Stranger").self_signed();
    collection.add("self", right("self").self_signed(), &[]);
    collection.add("selfexpired", past(right("selfexpired")).self_signed(), &[]);
    collection.add("expired", past(right("expired")).issued_by(root), &[]);
    collection.add("future", future(right("future")).issued_by(root), &[]);
    collection.add("otherca", right("otherca").issued_by(other), &[]);
    collection.add("otherroot", right("otherroot").issued_by(other), &[other]);
    collection.add("incomplete", right("incomplete").issued_by(inter), &[]);
    collection.add("complete", right("complete").issued_by(inter), &[inter]);
    collection.add("withroot", right("withroot").issued_by(inter), &[inter, root]);
    collection.add("order", right("order").issued_by(inter), &[root, inter]);
    collection.add("extra", right("extra").issued_by(inter), &[&stranger, inter, &stranger]);
    // Cross-signed: the intermediate by a stranger too, and the root by a stranger.
    let crossed = Form::ca("Lab Intermediate").certify(&inter.key, &stranger);
    collection.add("cross", right("cross").issued_by(inter), &[&crossed, inter]);
    collection.add("crossonly", right("crossonly").issued_by(inter), &[&crossed, &stranger]);
    let crossed = Form::ca("Lab CA").certify(&root.key, &stranger);
    collection.add("crossroot", right("crossroot").issued_by(inter), &[inter, &crossed]);
    let renamed = Form::ca("Lab CA").self_signed();
    collection.add("fakeroot", right("fakeroot").issued_by(&renamed), &[&renamed]);
}

/// Authorities that are none, or not for this.
fn authorities(collection: &mut Collection<'_>) {
    let Signers { root, .. } = collection.signers;
    let past = |form: Form| Form { from: form.from - YEAR, to: form.from, ..form };
    let under = |collection: &mut Collection<'_>, label: &str, ca: Form| {
        let ca = ca.issued_by(root);
        collection.add(label, right(label).issued_by(&ca), &[&ca]);
    };
    under(collection, "expiredca", past(Form::ca("Expired CA")));
    under(collection, "notca", Form { authority: None, usage: Some(SIGNS), ..Form::ca("Not a CA") });
    under(collection, "bareca", Form { authority: None, usage: None, ..Form::ca("Bare CA") });
    under(collection, "nosign", Form { usage: Some(SIGNS), ..Form::ca("No signer") });
    under(collection, "nousage", Form { usage: None, ..Form::ca("No usage") });
    under(collection, "clientca", Form { purposes: Some(vec![CLIENT_AUTH]), ..Form::ca("Client CA") });
    under(collection, "violated", Form::ca("Constrained CA").permitting("elsewhere.example"));
    under(collection, "satisfied", Form::ca("Constrained CA").permitting("satisfied.example"));
    under(collection, "version1ca", Form { version1: true, ..Form::ca("Old CA") });
    under(collection, "sha1ca", Form { digest: MessageDigest::sha1(), ..Form::ca("SHA-1 CA") });
    under(collection, "smallca", Form { kind: Kind::Rsa(768), ..Form::ca("Small CA") });
    let constrained = Form::ca("Constrained CA").permitting("elsewhere.example").issued_by(root);
    let by_name = Form::named(&["mx.cnviolated.example"]).issued_by(&constrained);
    collection.add("cnviolated", by_name, &[&constrained]);
    let narrow = Form { authority: Some(Some(0)), ..Form::ca("Narrow CA") }.issued_by(root);
    let below = Form::ca("Below CA").issued_by(&narrow);
    collection.add("pathlength", right("pathlength").issued_by(&below), &[&below, &narrow]);
    let mut tower = vec![Form::ca("Tower 0").issued_by(root)];
    for level in 1..=10 {
        let next = Form::ca(&format!("Tower {level}")).issued_by(&tower[level - 1]);
        tower.push(next);
    }
    for (label, height) in [("tall", 9), ("toolong", 10)] {
        let behind: Vec<&Made> = tower[..height].iter().rev().collect();
        collection.add(label, right(label).issued_by(behind[0]), &behind);
    }
}

/// What the leaf may be used for.
fn purposes(collection: &mut Collection<'_>) {
    let purposes = |label: &str, purposes: Option<Vec<&'static str>>| Form { purposes, ..right(label) };
    collection.direct("clientonly", &purposes("clientonly", Some(vec![CLIENT_AUTH])));
    collection.direct("noeku", &purposes("noeku", None));
    collection.direct("anyeku", &purposes("anyeku", Some(vec![ANY_PURPOSE])));
    collection.direct("botheku", &purposes("botheku", Some(vec![CLIENT_AUTH, SERVER_AUTH])));
    let usage = |label: &str, usage: Option<u8>| Form { usage, ..right(label) };
    collection.direct("kucertify", &usage("kucertify", Some(CERTIFIES)));
    collection.direct("kunone", &usage("kunone", None));
    // keyAgreement alone.
    collection.direct("kuagree", &usage("kuagree", Some(0x08)));
    let authority = Form { authority: Some(None), usage: Some(SIGNS | CERTIFIES), ..right("leafca") };
    collection.direct("leafca", &authority);
}

/// Keys, digests and versions.
fn strengths(collection: &mut Collection<'_>) {
    let kind = |label: &str, kind: Kind| Form { kind, ..right(label) };
    collection.direct("sha1", &Form { digest: MessageDigest::sha1(), ..right("sha1") });
    collection.direct("rsa2048", &kind("rsa2048", Kind::Rsa(2048)));
    collection.direct("rsa1024", &kind("rsa1024", Kind::Rsa(1024)));
    collection.direct("rsa768", &kind("rsa768", Kind::Rsa(768)));
    collection.direct("ed25519", &kind("ed25519", Kind::Ed25519));
    for (label, newest) in
        [("tls10", SslVersion::TLS1), ("tls11", SslVersion::TLS1_1), ("tls12", SslVersion::TLS1_2)]
    {
        collection.direct(label, &right(label));
        if let Some(last) = collection.exhibits.last_mut() {
            last.newest = Some(newest);
        }
    }
}
