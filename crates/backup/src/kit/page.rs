//! The page of a recovery kit, for people on their worst day: what it is, what they need, what they type.

use std::fmt::Write as _;

use super::Kit;
use crate::setup::Setup;

/// The page as text.
pub fn text(kit: &Kit, setup: &Setup, recipients: &[&str], sealed: &str) -> String {
    let Kit { host, made, restic, repositories, .. } = kit;
    let mut text = String::new();
    let _ = write!(
        text,
        "RECOVERY KIT OF {host}, made on {made}\n\n\
         Print it, and keep it where {host} is not: beside the repository, in a mailbox, with somebody else. Whoever has it and one of\n\
         the identities below can read every backup; without an identity it says nothing. A new kit takes this one's key away.\n\n\
         It opens these repositories:\n\n"
    );
    for it in repositories {
        let _ = writeln!(text, "  {:10}  {}", it.name, it.url);
    }
    text.push_str("\nOne of these identities opens it:\n\n");
    recipients.iter().for_each(|it| {
        let _ = writeln!(text, "  {it}");
    });
    text.push_str("\nIn them is, of each, all that belongs to it:\n\n");
    for item in &setup.items {
        let of = item
            .instance
            .as_ref()
            .map_or_else(String::new, |it| format!("{} {} at {}", it.app, it.version, it.domain));
        let databases: Vec<String> = item
            .databases
            .iter()
            .map(|it| format!("{} {}", crate::manifest::word(it.engine), it.name))
            .collect();
        let _ = writeln!(text, "  {:20}  {of}  {}", item.owner.as_str(), databases.join(", "));
    }
    let url = repositories.first().map_or("", |it| it.url.as_str());
    let _ = write!(
        text,
        "\nWITH PQ-BACKUP, as root on any machine that has restic {restic} or newer (0.18 at least), this page and the file of an identity:\n\n\
         \x20 pq-backup list --kit recovery-kit-{host}.txt --identity IDENTITY.txt\n\
         \x20 pq-backup restore ITEM --kit recovery-kit-{host}.txt --identity IDENTITY.txt --into /restored\n\n\
         It restores files with owners and modes below /restored, and databases as dumps in /restored/databases.\n\n\
         WITHOUT PAQUERETTE:\n\n\
         \x20 1. Copy the lines from BEGIN to END below into kit.age.\n\
         \x20 2. age -d -i IDENTITY.txt kit.age > kit.json      (age: package `age` of Debian)\n\
         \x20 3. export RESTIC_REPOSITORY='{url}'               (`url` in kit.json; its `env` too)\n\
         \x20    export RESTIC_PASSWORD='…'                      (`password` beside it)\n\
         \x20 4. restic snapshots --tag item:ITEM               (snapshots of one `set:` belong together)\n\
         \x20 5. restic restore ID --target /restored           (ID: the one with `part:files`)\n\
         \x20    restic dump ID /mariadb-NAME.sql | mariadb NAME      (ID: the one with `part:mariadb-NAME`)\n\
         \x20    restic dump ID /postgres-NAME.sql | psql NAME        (ID: the one with `part:postgres-NAME`)\n\n\
         {}\n",
        sealed.trim()
    );
    text
}

/// The page as HTML: the same text, to print.
pub fn html(host: &str, text: &str) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Recovery kit of {}</title>\n\
         <style>pre {{ font: 9pt monospace; white-space: pre-wrap; max-width: 132ch; margin: 2em auto }}</style>\n<pre>{}</pre>\n</html>\n",
        escape(host),
        escape(text)
    )
}
