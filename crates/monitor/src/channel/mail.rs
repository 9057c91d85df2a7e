//! Mail: handed to the machine's own `sendmail`, or to a server.

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls as Line, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport};
use pq_items::{MonitorAlerts, Smtp, Tls};

use super::{PATIENCE, secret};
use crate::message::Letter;
use crate::{bounded, program, web};

/// Where mail goes in.
const SENDMAIL: &str = "/usr/sbin/sendmail";

/// Hands a letter over, to everybody at once.
pub fn send(alerts: &MonitorAlerts, letter: &Letter) -> Result<(), String> {
    let message = message(alerts, letter)?;
    match &alerts.smtp {
        Some(smtp) => {
            transport(smtp, &letter.host)?.send(&message).map(drop).map_err(|error| refused(smtp, &error))
        }
        None => sendmail(alerts, &message),
    }
}

fn message(alerts: &MonitorAlerts, letter: &Letter) -> Result<Message, String> {
    // A host's name need not be one that mail knows.
    let host: String =
        letter.host.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
    let host = if host.is_empty() { "localhost".to_owned() } else { host };
    let from = match alerts.smtp.as_ref().and_then(|it| it.from.as_ref()) {
        Some(from) => from.to_string(),
        None => format!("root@{host}"),
    };
    let mailbox = |address: &str| {
        let address = address.parse().map_err(|_| format!("`{address}` is no mail address"))?;
        Ok::<_, String>(Mailbox::new(None, address))
    };
    let from = mailbox(&from).or_else(|_| mailbox(&format!("root@{host}.localdomain")))?;
    let mut builder = Message::builder()
        .from(from)
        .subject(letter.title.clone())
        .message_id(Some(format!("<{}@{host}.pq-monitor>", letter.id)))
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    for address in &alerts.mail {
        builder = builder.to(mailbox(address.as_str())?);
    }
    builder.body(letter.text.clone()).map_err(|error| format!("cannot write the mail: {error}"))
}

fn sendmail(alerts: &MonitorAlerts, message: &Message) -> Result<(), String> {
    let mut argv = vec![SENDMAIL, "-oi", "--"];
    argv.extend(alerts.mail.iter().map(|it| it.as_str()));
    let text = String::from_utf8_lossy(&message.formatted()).replace("\r\n", "\n");
    let output = program::run(&argv, None, Some(text), PATIENCE)?;
    match output.status {
        0 => Ok(()),
        status => {
            let last = output.stderr.trim().lines().next_back().unwrap_or_default();
            Err(format!("`{SENDMAIL}` ended with {status}: {last}"))
        }
    }
}

fn transport(smtp: &Smtp, host: &str) -> Result<SmtpTransport, String> {
    let server = smtp.host.as_str();
    let (usual, line) = match smtp.tls {
        Tls::None => (25, Line::None),
        Tls::Starttls => (587, Line::Required(encrypted(smtp)?)),
        Tls::Wrapped => (465, Line::Wrapper(encrypted(smtp)?)),
    };
    let mut builder = SmtpTransport::builder_dangerous(server)
        .port(smtp.port.unwrap_or(usual))
        .tls(line)
        .timeout(Some(PATIENCE))
        .hello_name(ClientId::Domain(host.to_owned()));
    if let Some(user) = &smtp.user {
        let file = smtp.password_file.as_ref().ok_or("`smtp` has a `user` and no `password_file`")?;
        builder = builder.credentials(Credentials::new(user.as_str().to_owned(), secret(file)?));
    }
    Ok(builder.build())
}

fn encrypted(smtp: &Smtp) -> Result<TlsParameters, String> {
    let server = smtp.host.as_str();
    let cannot = |error: lettre::transport::smtp::Error| format!("cannot speak TLS with `{server}`: {error}");
    let mut builder = TlsParameters::builder(server.to_owned()).certificate_store(CertificateStore::None);
    let files = [Some(web::SYSTEM), smtp.ca.as_ref().map(|it| it.as_str())];
    for path in files.into_iter().flatten() {
        if let Ok(pem) = bounded::read(std::path::Path::new(path)) {
            builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(cannot)?);
        }
    }
    builder.build_rustls().map_err(cannot)
}

fn refused(smtp: &Smtp, error: &lettre::transport::smtp::Error) -> String {
    let mut words = format!("`{}` does not take the mail: {error}", smtp.host);
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let more = error.to_string();
        if !words.contains(&more) {
            words.push_str(&format!(": {more}"));
        }
        source = error.source();
    }
    words
}

/// That no person wrote it (RFC 3834): nobody's vacation answers it.
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
