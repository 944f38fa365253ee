//! The other three kinds of connector.

use super::{becomes, inbound, receive, send};

const FROM: &str = "mode = \"report\"; identify.domains = [\"contoso.com\"]; ";

#[test]
fn inbound_connectors() {
    let name = ("TlsSenderCertificateName", "\"*.Contoso.com\"");
    let certificate = ("RestrictDomainsToCertificate", "true");
    let restricted = ("RestrictDomainsToIPAddresses", "true");
    let addresses = ("SenderIPAddresses", "[\"203.0.113.5/24\", \"192.0.2.7\"]");
    let no_tls = ("RequireTls", "false");
    for (others, keys, words) in [
        (vec![], "require.tls = true; on_violation = \"reject\"", &[][..]),
        (
            vec![name, certificate],
            "require.tls = true; require.certificate.names = [\"*.contoso.com\"]; on_violation = \"reject\"",
            &["subject of the certificate only"],
        ),
        (
            vec![name],
            "require.tls = true; on_violation = \"reject\"",
            &["not known to refuse", "require.certificate.names = [\"*.Contoso.com\"]"],
        ),
        (
            vec![no_tls, name, certificate],
            "require.certificate.names = [\"*.contoso.com\"]; on_violation = \"reject\"",
            &["subject"],
        ),
        (
            vec![restricted, addresses, no_tls],
            "require.addresses = [\"203.0.113.0/24\", \"192.0.2.7\"]; on_violation = \"reject\"",
            &["203.0.113.5/24 is 203.0.113.0/24"],
        ),
        (vec![addresses], "require.tls = true; on_violation = \"reject\"", &["Left out SenderIPAddresses"]),
        (
            vec![("AssociatedAcceptedDomains", "[\"ours.example\"]")],
            "recipients = [\"ours.example\"]; require.tls = true; on_violation = \"reject\"",
            &[],
        ),
        (vec![("EFSkipIPs", "[\"192.0.2.1\"]")], "require.tls = true", &["EFSkipIPs"]),
        (vec![("TreatMessagesAsInternal", "true")], "require.tls = true", &["TreatMessagesAsInternal"]),
    ] {
        becomes(&inbound(&others), &format!("{FROM}{keys}"), words);
    }
    for (others, reason) in [
        (vec![no_tls], "refused: it demands neither TLS nor a certificate nor an address"),
        (vec![restricted], "refused: `SenderIPAddresses` is empty, and RestrictDomainsToIPAddresses"),
        (
            vec![restricted, ("SenderIPAddresses", "[\"0.0.0.0/0\"]")],
            "refused: `SenderIPAddresses` has 0.0.0.0/0",
        ),
        (
            vec![restricted, ("SenderIPAddresses", "[\"contoso.com\"]")],
            "refused: `SenderIPAddresses` has \"contoso.com\"",
        ),
        (vec![("SenderDomains", "[]")], "refused: `SenderDomains` is empty"),
        (vec![("SenderDomains", "[\"x400:c=de;1\"]")], "refused: `SenderDomains` has \"x400:c=de;1\""),
        (
            vec![("RestrictDomainsToCertificate", "")],
            "refused: `RestrictDomainsToCertificate` is not in the export",
        ),
        (
            vec![("RestrictDomainsToIPAddresses", "")],
            "refused: `RestrictDomainsToIPAddresses` is not in the export",
        ),
        (vec![("RequireTls", "")], "refused: `RequireTls` is not in the export"),
    ] {
        becomes(&inbound(&others), reason, &["refused"]);
    }
}

#[test]
fn connectors_on_premises() {
    let mail = "mode = \"report\"; domains = [\"contoso.com\"]; ";
    let level = |word| ("TlsAuthLevel", word);
    for (others, keys, words) in [
        (vec![], "tls = \"encrypt\"", &[][..]),
        (vec![("RequireTLS", "false")], "tls = \"may\"", &["never forced"]),
        (vec![level("\"EncryptionOnly\"")], "tls = \"encrypt\"", &[]),
        (vec![level("\"CertificateValidation\"")], "tls = \"verify\"", &["MX host"]),
        (
            vec![level("\"DomainValidation\""), ("TlsDomain", "\"mail.protection.outlook.com\"")],
            "tls = \"secure\"; match = [\"mail.protection.outlook.com\"]",
            &["revocation"],
        ),
        (
            vec![("RequireTLS", "false"), level("\"EncryptionOnly\"")],
            "tls = \"encrypt\"",
            &["takes the latter"],
        ),
        (vec![("RequireTLS", "false"), ("IgnoreSTARTTLS", "true")], "tls = \"may\"", &["IgnoreSTARTTLS"]),
        (
            vec![
                ("DNSRoutingEnabled", "false"),
                ("Port", "587"),
                ("SmartHosts", "[\"[192.0.2.1]\", \"a.contoso.com\"]"),
            ],
            "route = [\"[192.0.2.1]:587\", \"[a.contoso.com]:587\"]; tls = \"encrypt\"",
            &["in brackets"],
        ),
        (vec![("TlsCertificateName", "\"<I>CN=x<S>CN=y\"")], "tls = \"encrypt\"", &["smtp_tls_cert_file"]),
        (
            vec![("SmartHostAuthMechanism", "\"BasicAuth\"")],
            "tls = \"encrypt\"",
            &["smtp_sasl_password_maps"],
        ),
    ] {
        becomes(&send(&others), &format!("{mail}{keys}"), words);
    }
    becomes(&send(&[("Enabled", "false")]), "mode = \"off\"", &["held if none does", "disabled"]);
    for (others, words) in [
        (vec![("DomainSecureEnabled", "true")], &["TLSSendDomainSecureList"]),
        (vec![("IsScopedConnector", "true")], &["servers of one site"]),
    ] {
        becomes(
            &send(&others),
            "mode = \"off\"; domains = [\"contoso.com\"]; tls = \"encrypt\" # Off: ",
            words,
        );
    }
    becomes(
        &send(&[("DomainSecureEnabled", "true"), ("RequireTLS", "false")]),
        "mode = \"off\"; domains = [\"contoso.com\"]; tls = \"may\" # Off: DomainSecureEnabled",
        &["TLSSendDomainSecureList"],
    );
    becomes(&send(&[("AddressSpaces", "[\"contoso.com;7\"]")]), mail, &["Its cost is 7"]);
    let hosts = [("DNSRoutingEnabled", "false"), ("Port", ""), ("SmartHosts", "[\"192.0.2.1\"]")];
    becomes(&send(&hosts), "refused: `Port` is not in the export", &["absent is not false"]);
    becomes(&inbound(&[("TrustedOrganizations", "")]), FROM, &["TrustedOrganizations is not in the export"]);
    becomes(&send(&[("Port", "587")]), "mode = \"off\"", &["at port 25 only"]);
    becomes(&send(&[("IgnoreSTARTTLS", "true")]), "refused: `IgnoreSTARTTLS` is true, and", &["cannot be"]);
    becomes(&send(&[("Port", "\"x\"")]), "refused: `Port` is \"x\"", &["65535"]);
    becomes(
        &send(&[("TlsAuthLevel", "1")]),
        "refused: `TlsAuthLevel` is the number 1",
        &["Get-SendConnector"],
    );
    becomes(
        &receive(&[]),
        "mode = \"report\"; identify.addresses = [\"203.0.113.7\", \"192.0.2.0/24\"]; require.tls = true; \
         on_violation = \"defer\"",
        &["narrowest range"],
    );
    becomes(
        &receive(&[("RequireTLS", "false")]),
        "refused: `RequireTLS` is false: it demands nothing",
        &["nothing to import"],
    );
    for bindings in ["[\"0.0.0.0:587\"]", "[{\"Port\": 25}]"] {
        becomes(&receive(&[("Bindings", bindings)]), "mode = \"report\"", &["every smtpd(8)"]);
    }
    // What only makes a note need not be understood.
    becomes(&send(&[("ErrorPolicies", "3")]), "mode = \"report\"", &["ErrorPolicies is \"3\""]);
    becomes("{\"Name\": \"x\"}", "refused: it is none of what", &["all properties"]);
    becomes(
        "{\"Name\": \"x\", \"SenderDomains\": [], \"UseMXRecord\": true}",
        "refused: it is none of what",
        &["all properties"],
    );
}
