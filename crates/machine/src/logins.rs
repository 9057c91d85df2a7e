//! Who is logged in over ssh: the titles that sshd gives its processes.
//!
//! Only a title of somebody who was let in names them with a place, as in `sshd: root@pts/0`; of who still has to show a
//! key it is `sshd: root [priv]`, or `[accepted]`. Processes of containers on this machine are not its own.

use std::fs;
use std::path::Path;

use pq_steps::{Error, SshLogin};

use crate::cause::failed;

/// Everybody who is logged in over ssh.
///
/// # Errors
/// Where `/proc` cannot be read.
pub fn logins() -> Result<Vec<SshLogin>, Error> {
    let entries = fs::read_dir("/proc").map_err(|error| failed("cannot see who is logged in", error))?;
    let own = fs::read_link("/proc/self/ns/pid").ok();
    let mut found: Vec<SshLogin> =
        entries.flatten().filter_map(|it| login(&it.path(), own.as_deref())).collect();
    found.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(found)
}

/// The login that a process serves; one that ends meanwhile serves none.
fn login(process: &Path, own: Option<&Path>) -> Option<SshLogin> {
    let number: u32 = process.file_name()?.to_str()?.parse().ok()?;
    let title = fs::read(process.join("cmdline")).ok()?;
    let who = served(&String::from_utf8_lossy(&title))?;
    let space = fs::read_link(process.join("ns/pid")).ok()?;
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // Behind the name, which may hold anything, stand the fields from the third on; the 22nd is when it started.
    let started = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.to_owned();
    (own == Some(&space)).then(|| SshLogin { id: format!("{number}-{started}"), who })
}

/// Whom a process of this title serves.
fn served(title: &str) -> Option<String> {
    let title = title.trim_end_matches(['\0', ' ']);
    let who = title.strip_prefix("sshd: ").or_else(|| title.strip_prefix("sshd-session: "))?;
    let (user, place) = who.rsplit_once('@')?;
    let plain = |c: char| c.is_ascii_graphic();
    (!user.is_empty() && (place == "notty" || place.starts_with("pts/")) && who.chars().all(plain))
        .then(|| who.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_let_in_is_logged_in() {
        assert_eq!(served("sshd: root@pts/0\0\0").as_deref(), Some("root@pts/0"));
        assert_eq!(served("sshd-session: ops@notty").as_deref(), Some("ops@notty"));
        for title in [
            "sshd: root [priv]",
            "sshd: [accepted]",
            "sshd: root [net]",
            "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups",
            "/usr/sbin/sshd\0-D",
            "sshd: unknown [preauth]",
            "bash",
        ] {
            assert_eq!(served(title), None, "{title}");
        }
    }
}
