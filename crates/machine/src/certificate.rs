//! Certificates: reads what one says, and issues them from an authority that the machine keeps for itself.
//!
//! Always true here: keys are written before what is certified of them, and one that is there is used again, so chain
//! and key belong together at every instant.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pq_steps::{AbsPath, Certificate, CertificateRequest, Error};
use pq_stream::Diagnostic;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use sha2::{Digest, Sha256};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::files;
use crate::fresh::Numbers;
use crate::look::{self, hex};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an authority lives.
const AUTHORITY_DAYS: u32 = 3650;

/// How long before now a certificate begins: clocks of others may be behind.
const EARLIER: Duration = Duration::from_secs(60 * 60);

/// The first certificate of a file.
pub fn read(path: &AbsPath) -> Result<Option<Certificate>, Error> {
    match look::read(path)? {
        Some(bytes) => parse(path, &bytes).map(Some),
        None => Ok(None),
    }
}

fn parse(path: &AbsPath, bytes: &[u8]) -> Result<Certificate, Error> {
    let none = |cause: String| Error::failed(format!("cannot read certificate `{path}`"), cause);
    let pem = Pem::iter_from_buffer(bytes)
        .filter_map(Result::ok)
        .find(|pem| pem.label == "CERTIFICATE")
        .ok_or_else(|| none("the file holds no certificate".to_owned()))?;
    said(&pem.contents, &none)
}

/// What a certificate says, in DER.
pub(crate) fn said(der: &[u8], none: &dyn Fn(String) -> Error) -> Result<Certificate, Error> {
    let (_, found) = X509Certificate::from_der(der).map_err(|error| none(error.to_string()))?;
    let (mut names, mut authority, mut subject) = (Vec::new(), String::new(), String::new());
    for extension in found.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(all) => {
                names.extend(all.general_names.iter().filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some((*name).to_owned()),
                    _ => None,
                }));
            }
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                authority = id.key_identifier.as_ref().map_or_else(String::new, |id| hex(id.0));
            }
            ParsedExtension::SubjectKeyIdentifier(id) => subject = hex(id.0),
            _ => {}
        }
    }
    names.sort();
    let time = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    Ok(Certificate {
        digest: hex(&Sha256::digest(der)),
        names,
        common_name: found
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok())
            .map(str::to_owned),
        not_after: time(found.validity().not_after.timestamp()),
        not_before: time(found.validity().not_before.timestamp()),
        key: hex(&Sha256::digest(found.public_key().raw)),
        authority,
        subject,
    })
}

/// Issues a certificate, and makes the authority first where there is none.
pub fn issue(request: &CertificateRequest, now: SystemTime) -> Result<(), Error> {
    let cannot =
        |error: rcgen::Error| Error::failed(format!("cannot issue certificate `{}`", request.chain), error);
    let (pem, authority) = authority(&request.authority, now)?;
    let end = read(&below(&request.authority, "ca.pem")?)?.map_or(now, |ca| ca.not_after);
    if end <= now {
        return Err(Diagnostic::new(format!("cannot issue certificate `{}`", request.chain))
            .cause(format!("authority `{}` has expired", request.authority))
            .hint(
                "move that directory away for a new one; whoever trusted the old one must trust the new one",
            )
            .into());
    }
    let key = own_key(&request.key)?;
    let mut params = CertificateParams::new(request.names.clone()).map_err(cannot)?;
    params.distinguished_name = DistinguishedName::new();
    // A common name has at most 64 characters; hosts are named by the alternative names anyway.
    if let Some(first) = request.names.first().filter(|name| name.len() <= 64) {
        params.distinguished_name.push(DnType::CommonName, first);
    }
    valid(&mut params, now, (now + DAY * request.days).min(end));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.is_ca = IsCa::ExplicitNoCa;
    let certificate = params.signed_by(&key, &authority).map_err(cannot)?;
    let chain = format!("{}{pem}", certificate.pem());
    files::write(&request.chain, chain.as_bytes(), Numbers { mode: Some(0o644), owner: None })
}

/// The authority of a directory, and its certificate as text.
fn authority(directory: &AbsPath, now: SystemTime) -> Result<(String, Issuer<'static, KeyPair>), Error> {
    let cannot = |error: rcgen::Error| Error::failed(format!("cannot use authority `{directory}`"), error);
    let (ca, key) = (below(directory, "ca.pem")?, below(directory, "ca.key")?);
    if look::read(&key)?.is_none() {
        if look::read(&ca)?.is_some() {
            return Err(Diagnostic::new(format!("cannot use authority `{directory}`"))
                .cause("its certificate is there, and its key `ca.key` is not")
                .hint("put the key back, or move the directory away for a new authority")
                .into());
        }
        files::make_dir(directory, Numbers::default())?;
    }
    let key = own_key(&key)?;
    let pem = match look::read(&ca)? {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => {
            let mut params = CertificateParams::default();
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::OrganizationName, "paquerette");
            let name: String = format!("local authority of {host}").chars().take(64).collect();
            params.distinguished_name.push(DnType::CommonName, name);
            valid(&mut params, now, now + DAY * AUTHORITY_DAYS);
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let pem = params.self_signed(&key).map_err(cannot)?.pem();
            files::write(&ca, pem.as_bytes(), Numbers { mode: Some(0o644), owner: None })?;
            pem
        }
    };
    let issuer = Issuer::from_ca_cert_pem(&pem, key).map_err(cannot)?;
    Ok((pem, issuer))
}

/// The key of a file, made first where there is none.
fn own_key(path: &AbsPath) -> Result<KeyPair, Error> {
    let cannot = |error: rcgen::Error| Error::failed(format!("cannot use key `{path}`"), error);
    if let Some(bytes) = look::read(path)? {
        return KeyPair::from_pem(&String::from_utf8_lossy(&bytes)).map_err(cannot);
    }
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(cannot)?;
    files::write(path, key.serialize_pem().as_bytes(), Numbers { mode: Some(0o600), owner: None })?;
    Ok(key)
}

fn below(directory: &AbsPath, name: &str) -> Result<AbsPath, Error> {
    directory.join(name).map_err(|cause| Error::failed(format!("cannot use authority `{directory}`"), cause))
}

fn valid(params: &mut CertificateParams, now: SystemTime, until: SystemTime) {
    let seconds = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since.as_secs())
    };
    params.not_before = seconds(now.checked_sub(EARLIER).unwrap_or(now));
    params.not_after = seconds(until);
}
