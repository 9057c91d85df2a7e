//! What applications take of the host's own settings: language and region of its first locale, and from whom its mail comes.

use pq_stream::{Diagnostic, Host};
use serde_json::{Map, Value, json};

use crate::values::of_host;

/// `locale` (`fr_FR`), `language` (`fr`), `region` (`FR`, where the locale names one), and where mail leaves the machine `mail_sender`.
///
/// # Errors
/// Where the inventory could not resolve a value.
pub(crate) fn told(host: &Host, admin: Option<&str>) -> Result<Map<String, Value>, Diagnostic> {
    let locales = of_host(host, "locales")?.map(|found| found.value);
    let first = locales.and_then(|it| it.get(0).unwrap_or(it).as_str());
    let plain = first.unwrap_or_default().split(['.', '@']).next().unwrap_or_default();
    let (language, region) = plain.split_once('_').unwrap_or((plain, ""));
    let small = |text: &str| matches!(text.len(), 2 | 3) && text.bytes().all(|c| c.is_ascii_lowercase());
    let large = region.len() == 2 && region.bytes().all(|c| c.is_ascii_uppercase());
    let told = match (small(language), large) {
        (true, true) => json!({ "locale": plain, "language": language, "region": region }),
        _ => json!({ "locale": "en_US", "language": "en", "region": null }),
    };
    let mut told = told.as_object().cloned().unwrap_or_default();
    let relay = of_host(host, "smtp_host")?.is_some();
    let sender = of_host(host, "mail_sender")?.and_then(|found| found.value.as_str());
    told.insert("mail_sender".to_owned(), sender.or(admin).filter(|_| relay).into());
    Ok(told)
}
