//! Chains of an authority that is made for the test.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use std::fs;

/// 2026-11-01, from which every certificate here is good.
const BEGINS: i64 = 1_793_491_200;

const DAY: i64 = 86_400;

struct World {
    _dir: tempfile::TempDir,
    ca: String,
    root: Issuer<'static, KeyPair>,
    middle: Issuer<'static, KeyPair>,
    middle_der: CertificateDer<'static>,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    params
}

fn world(middle_ends: (i32, u8, u8)) -> World {
    let dir = tempfile::tempdir().unwrap();
    let root_key = KeyPair::generate().unwrap();
    let root = authority("root").self_signed(&root_key).unwrap();
    let ca = dir.path().join("ca.pem");
    fs::write(&ca, root.pem()).unwrap();
    let root = Issuer::from_ca_cert_pem(&root.pem(), root_key).unwrap();
    let middle_key = KeyPair::generate().unwrap();
    let mut params = authority("middle");
    params.not_after = date_time_ymd(middle_ends.0, middle_ends.1, middle_ends.2);
    let middle = params.signed_by(&middle_key, &root).unwrap();
    let middle_der = middle.der().clone().into_owned();
    let middle = Issuer::from_ca_cert_pem(&middle.pem(), middle_key).unwrap();
    World { ca: ca.display().to_string(), _dir: dir, root, middle, middle_der }
}

impl World {
    /// A certificate of 100 days for `wiki.test`, with its chain.
    fn chain(&self) -> Chain {
        let mut params = CertificateParams::new(vec!["wiki.test".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 11, 1);
        params.not_after = date_time_ymd(2027, 2, 9);
        let leaf = params.signed_by(&KeyPair::generate().unwrap(), &self.middle).unwrap();
        vec![leaf.der().clone().into_owned(), self.middle_der.clone()]
    }

    fn judged(&self, chain: &Chain, name: &str, day: i64) -> Answer {
        let limits = Used { warn: 72.try_into().unwrap(), critical: 84.try_into().unwrap() };
        judge(chain, "it", &[name], Some(&self.ca), BEGINS + day * DAY, &limits)
    }
}

#[test]
fn age_is_told_by_the_part_of_its_life_that_is_over() {
    let world = world((2030, 1, 1));
    let chain = world.chain();
    for (day, code, level) in [
        (1, "ok", "OK"),
        (71, "ok", "OK"),
        (72, "old", "WARNING"),
        (84, "old", "CRITICAL"),
        (101, "expired", "CRITICAL"),
        (-1, "not_yet", "CRITICAL"),
    ] {
        let answer = world.judged(&chain, "wiki.test", day);
        assert_eq!((answer.code.as_str(), answer.level.word()), (code, level), "{day}: {answer:?}");
    }
    assert_eq!(world.judged(&chain, "wiki.test", 10).value, Some(90.0));
}

#[test]
fn what_is_wrong_with_a_chain_is_named() {
    let world = world((2030, 1, 1));
    let chain = world.chain();
    assert_eq!(world.judged(&chain, "other.test", 1).code, "name_wrong");
    let answer = world.judged(&chain[..1].to_vec(), "wiki.test", 1);
    assert_eq!(answer.code, "chain_incomplete", "{answer:?}");
    assert!(answer.message.contains("middle"), "{answer:?}");
    let own = CertificateParams::new(vec!["wiki.test".to_owned()]).unwrap();
    let own = own.self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert_eq!(world.judged(&vec![own.der().clone().into_owned()], "wiki.test", 1).code, "chain");
    assert_eq!(world.judged(&Vec::new(), "wiki.test", 1).code, "absent");
    assert_eq!(world.judged(&vec![vec![0x30; 100_000].into()], "wiki.test", 1).code, "certificate");
    let _ = &world.root;
}

#[test]
fn a_middle_of_the_chain_that_expired_is_told_while_the_certificate_itself_is_good() {
    let world = world((2026, 11, 20));
    let chain = world.chain();
    assert_eq!(world.judged(&chain, "wiki.test", 10).code, "ok");
    let answer = world.judged(&chain, "wiki.test", 25);
    assert_eq!(answer.code, "chain_expired", "{answer:?}");
    assert!(answer.message.contains("number 2 of its chain"), "{answer:?}");
}
