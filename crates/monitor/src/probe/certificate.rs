//! A certificate: in its file, as it is served, and whether that is the same.

use std::path::Path;
use std::time::Instant;

use pq_items::Certificate;
use pq_stream::system_cause;

use super::{Context, chain, pending};
use crate::{Answer, bounded};

/// Before this, a machine's clock is wrong, and no certificate can be judged: 2026-11-01.
pub const BUILT: i64 = 1_793_491_200;

/// Asks for it, and whether the one that was asked for is there.
pub fn ask(certificate: &Certificate, context: &Context, until: Instant) -> Answer {
    let answer = judged(certificate, context, until);
    match pending::of(certificate, context.now) {
        Some(pending) => answer.or_worse(pending),
        None => answer,
    }
}

fn judged(certificate: &Certificate, context: &Context, until: Instant) -> Answer {
    if context.now < BUILT {
        return Answer::unknown(
            "clock",
            "this machine's clock is years behind: no certificate can be judged",
        )
        .hint("`timedatectl` says who sets it");
    }
    let names: Vec<&str> = certificate.names.iter().map(|it| it.as_str()).collect();
    let (ca, limits) = (certificate.ca.as_ref().map(|it| it.as_str()), &context.thresholds.certificate);
    let first = names.first().copied().unwrap_or_default();
    let filed = match certificate.file.as_ref().map(|it| of_file(it.as_str())) {
        Some(Ok(chain)) => Some(chain),
        Some(Err(answer)) => return *answer,
        None => None,
    };
    let Some(served) = &certificate.served else {
        let file = certificate.file.as_ref().map_or("", |it| it.as_str());
        return chain::judge(
            &filed.unwrap_or_default(),
            &format!("the certificate in `{file}`"),
            &names,
            ca,
            context.now,
            limits,
        );
    };
    let Some((host, port)) = place(served.as_str()) else {
        return Answer::unknown(
            "address",
            format!("`served: {served}` is no address with a port, such as `127.0.0.1:443`"),
        );
    };
    let sent = match chain::sent(host, port, first, until) {
        Ok(sent) => sent,
        Err(answer) => return *answer,
    };
    let answer =
        chain::judge(&sent, &format!("the certificate of `{first}`"), &names, ca, context.now, limits);
    match filed {
        Some(filed) if filed.first() != sent.first() => answer.or_worse(differ(certificate, &filed, &sent)),
        _ => answer,
    }
}

fn differ(certificate: &Certificate, filed: &chain::Chain, sent: &chain::Chain) -> Answer {
    let (file, served) = (certificate.file.as_ref(), certificate.served.as_ref());
    let number = |chain| chain::serial(chain).unwrap_or_else(|| "unreadable".to_owned());
    let text = format!(
        "`{}` does not serve the certificate in `{}`: number {} is served, {} is on the disk",
        served.map_or("", |it| it.as_str()),
        file.map_or("", |it| it.as_str()),
        number(sent),
        number(filed),
    );
    Answer::critical("not_served", text).hint("the server has not read it since it was renewed: reload it")
}

fn of_file(path: &str) -> Result<chain::Chain, Box<Answer>> {
    match bounded::read(Path::new(path)) {
        Ok(pem) => Ok(chain::of_pem(&pem)),
        Err(error) => Err(Box::new(Answer::critical(
            "absent",
            format!("cannot read `{path}`: {}", system_cause(&error)),
        ))),
    }
}

fn place(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}
