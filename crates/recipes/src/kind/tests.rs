//! What each type takes, and what none of them does.

use super::*;

fn good(kind: Kind, value: impl Into<Value>) -> bool {
    kind.accept(&value.into()).is_some()
}

#[test]
fn a_name_that_would_break_a_configuration_is_refused() {
    for name in ["wiki.example.org", "a-b.c-d.xn--p1ai", "WIKI.Example.org"] {
        assert!(good(Kind::Domain, name), "{name}");
    }
    for name in [
        "test..com",
        "-a.org",
        "a-.org",
        "a.org;",
        "a .org",
        "",
        "localhost",
        "1.2.3.4",
        "a.org\n",
        "*.a.org",
        "a.org { }",
        "$host.org",
        "é.org",
    ] {
        assert!(!good(Kind::Domain, name), "{name:?}");
    }
    assert_eq!(Kind::Domain.accept(&"WIKI.example.org".into()), Some("wiki.example.org".into()));
}

#[test]
fn a_locale_and_a_time_zone_are_what_their_steps_take() {
    for locale in ["fr_FR.UTF-8", "C.UTF-8"] {
        assert!(good(Kind::Locale, locale), "{locale}");
    }
    for locale in ["xx_YY.UTF-8", "true", "fr_FR", "fr_FR.ISO-8859-1", "fr_FR@euro", ".UTF-8", "_.UTF-8", ""]
    {
        assert!(!good(Kind::Locale, locale), "{locale}");
    }
    for zone in ["Europe/Paris", "UTC", "Etc/GMT+5", "America/Port-au-Prince"] {
        assert!(good(Kind::Timezone, zone), "{zone}");
    }
    for zone in ["Europe/Pariss", "Factory", "-", "--help", "0", "Europe/", "/Paris", "../etc", ""] {
        assert!(!good(Kind::Timezone, zone), "{zone}");
    }
    let near = |kind: Kind, text| kind.near(text).unwrap_or_default();
    for text in ["fr_FR", "fr_FR.utf8", "fr_Fr.UTF-8"] {
        assert_eq!(near(Kind::Locale, text), "fr_FR.UTF-8");
    }
    assert_eq!(near(Kind::Timezone, "Europe/Pariss"), "Europe/Paris");
    assert_eq!(near(Kind::Timezone, "Mars"), "");
}

#[test]
fn no_type_but_text_lets_a_special_character_through() {
    let kinds = [
        Kind::Domain,
        Kind::Email,
        Kind::Url,
        Kind::Path,
        Kind::OwnPath,
        Kind::Size,
        Kind::Locale,
        Kind::Language,
        Kind::Timezone,
        Kind::Package,
        Kind::Login,
        Kind::Word,
        Kind::Account,
        Kind::Network,
        Kind::Port,
        Kind::Integer,
        Kind::Span,
    ];
    let examples = [
        "a.org",
        "a@b.org",
        "https://a.org",
        "/srv/a",
        "/srv/a",
        "1M",
        "fr_FR.UTF-8",
        "fr",
        "Europe/Paris",
        "htop",
        "a",
        "utf8mb4_bin",
        "postmaster@example.org",
        "10.0.0.0/8",
        "80",
        "5",
        "26h",
    ];
    for (kind, example) in kinds.into_iter().zip(examples) {
        assert!(good(kind, example), "{kind:?} {example}");
        for bad in [";", " ", "\n", "\"", "'", "$", "{", "}", "`", "\\", "#", "\0", "|", "<", "%", "&", "*"] {
            assert!(!good(kind, format!("{example}{bad}")), "{kind:?} takes {bad:?}");
        }
    }
}

#[test]
fn a_size_has_a_least_and_a_most_and_does_not_overflow() {
    for size in ["1", "32M", "64G", "65536M"] {
        assert!(good(Kind::Size, size), "{size}");
    }
    for size in ["0", "0M", "65G", "65537M", "18446744073709551615G", "99999999999999999999", "M", "-1", ""] {
        assert!(!good(Kind::Size, size), "{size}");
    }
    assert!(good(Kind::Size, 1024) && !good(Kind::Size, 0) && !good(Kind::Size, u64::MAX));
}

#[test]
fn a_directory_of_the_system_is_nobodys_own() {
    for path in
        ["/srv/paquerette", "/srv", "/var/lib/paquerette", "/home/sites", "/opt/x", "/etcetera", "/library"]
    {
        assert!(good(Kind::OwnPath, path), "{path}");
    }
    for path in [
        "/",
        "/etc",
        "/etc/paquerette",
        "/usr",
        "/usr/local/x",
        "/var",
        "/tmp",
        "/root",
        "/home",
        "/boot",
        "/boot/x",
        "/dev",
        "/dev/shm",
        "/proc",
        "/proc/1",
        "/run",
        "/sys",
        "/sys/fs",
        "/bin",
        "/sbin",
        "/lib",
        "/lib64",
        "/lib/x",
        "/etc/",
        "srv",
    ] {
        assert!(!good(Kind::OwnPath, path), "{path}");
    }
}

#[test]
fn what_is_given_as_a_sample_is_of_its_type() {
    let kinds = [
        Kind::Text,
        Kind::Password,
        Kind::Boolean,
        Kind::Integer,
        Kind::Port,
        Kind::Domain,
        Kind::Email,
        Kind::Url,
        Kind::Path,
        Kind::OwnPath,
        Kind::Size,
        Kind::Locale,
        Kind::Language,
        Kind::Timezone,
        Kind::Package,
        Kind::Login,
        Kind::FirewallRule,
        Kind::Account,
        Kind::Network,
        Kind::Operator,
        Kind::Word,
        Kind::Schedule,
        Kind::Span,
        Kind::CronJob,
        Kind::Script,
        Kind::Tools,
        Kind::Archive,
        Kind::Git,
        Kind::Packages,
        Kind::Directory,
        Kind::Environment,
        Kind::Instance,
        Kind::Fingerprint,
        Kind::Below,
        Kind::Target,
        Kind::Peer,
        Kind::PublicKey,
        Kind::Window,
        Kind::Channel,
        Kind::MonitorPeer,
    ];
    for kind in kinds {
        assert!(kind.accept(&kind.sample()).is_some(), "{kind:?}");
    }
}

#[test]
fn booleans_are_also_words_and_numbers_are_also_texts() {
    assert_eq!(Kind::Boolean.accept(&"Yes".into()), Some(true.into()));
    assert_eq!(Kind::Boolean.accept(&1.into()), None);
    assert_eq!(Kind::Port.accept(&"5232".into()), Some(5232.into()));
    assert!(!good(Kind::Port, 0) && !good(Kind::Port, 65536) && !good(Kind::Text, 3));
}

#[test]
fn a_rule_of_the_firewall_comes_apart() {
    let rule = Kind::FirewallRule.accept(&"limit 22/tcp from 10.0.0.0/8".into()).unwrap();
    assert_eq!(rule, json!({ "action": "limit", "port": 22, "protocol": "tcp", "from": "10.0.0.0/8" }));
    for text in [
        "open 22/tcp",
        "allow 22",
        "allow 0/tcp",
        "allow 22/icmp",
        "allow 22/tcp from here",
        "allow 22/tcp from 10.0.0.0/33",
    ] {
        assert!(!good(Kind::FirewallRule, text), "{text}");
    }
}
