//! What ssh is asked to run: one line of shell that becomes root and then the kept executor.
//!
//! The executor is kept in a directory that is root's alone, under its digest, and is put there only once the digest of
//! what came was compared on the machine itself. In every run its owner, mode and size are looked at; who could change
//! more is root.
//!
//! No single quote and no line end stands in the scripts: login shells of any kind hand them on as one word. Nothing
//! secret stands in them.

use crate::executor::Executor;
use crate::login::{Login, Password, Sudo};

/// Where executors are kept.
pub const KEPT_IN: &str = "/var/cache/paquerette";

/// What `sudo` writes when it wants the password. A text that no other program writes.
pub const ASKS: &str = "[paquerette] password for sudo:";

/// Becomes root: `$1` is the second script, what follows its name and arguments. Messages are in English, since they are
/// looked at. That `/` belongs to who asks is what a shell knows of being root without starting a program.
const AS_ROOT: &str =
    r#"LC_ALL=C; export LC_ALL; if [ -O / ]; then s=$1; shift 2; eval "$s"; else exec SUDO sh -c "$@"; fi"#;

/// The same for a login that must be root's.
const IS_ROOT: &str = r#"if [ -O / ]; then s=$1; shift 2; eval "$s"; else echo "the login is not root, and ansible_become is false" >&2; exit 77; fi"#;

/// Becomes the executor. `$1` is `wait` or `go`, then come machine, digest and size of each executor that there is.
///
/// With `go`, the plan is on its way already: where no executor is kept, its bytes are read over, and an executor is asked
/// for; it comes as `executor SIZE DIGEST` and the bytes, and the plan after it once more.
const BECOME: &str = concat!(
    r#"umask 077; d=/var/cache/paquerette; "#,
    r#"if [ "$1" = wait ]; then echo "{\"type\":\"ready\"}"; fi; shift; "#,
    r#"if [ -L $d ]; then echo "$d is a link" >&2; exit 78; fi; "#,
    r#"while [ $# -ge 3 ]; do f=$d/pq-apply-$2; "#,
    r#"case "$(stat -c %u:%a:%s $d $f 2>/dev/null)" in "0:700:"*"0:700:$3") exec $f --remote;; esac; shift 3; done; "#,
    r#"echo "{\"type\":\"lacks\",\"machine\":\"$(uname -m)\"}"; "#,
    r#"read -r w n; [ "$w" = paquerette ] || exit 79; head -c "$n" >/dev/null; "#,
    r#"read -r w n s; [ "$w" = executor ] || exit 79; f=$d/pq-apply-$s; t=$d/.new.$$; "#,
    r#"mkdir -p $d && chmod 700 $d && chown 0:0 $d && head -c "$n" >$t || exit 78; "#,
    r#"if [ "$(sha256sum <$t)" != "$s  -" ]; then rm -f $t; echo "what arrived is not what was sent" >&2; exit 78; fi; "#,
    r#"chmod 700 $t && sync $t && mv $t $f || exit 78; "#,
    r#"ls -t $d | grep "^pq-apply-" | tail -n +4 | while read -r x; do rm -f "$d/$x"; done; "#,
    r#"exec $f --remote"#
);

/// The command for this login; `password` is whether there is one for `sudo`.
pub fn command(login: &Login, password: Option<&Password>, executors: &[Executor]) -> String {
    let sudo = match password {
        // The time since a password was last given does not count: it is asked for, or none is needed.
        Some(_) => format!("sudo -S -k -p \"{ASKS}\" --"),
        None => "sudo -n --".to_owned(),
    };
    let first = match &login.sudo {
        Sudo::Forbidden => IS_ROOT.to_owned(),
        Sudo::Allowed(_) => AS_ROOT.replace("SUDO", &sudo),
    };
    let mut command = format!("exec sh -c '{first}' sh '{BECOME}' paquerette {}", turn(password));
    for it in executors {
        command.push_str(&format!(" {} {} {}", it.machine, it.digest, it.bytes.len()));
    }
    command
}

/// Whether the plan is sent at once, or when the machine says that nothing else reads it.
fn turn(password: Option<&Password>) -> &'static str {
    if password.is_some() { "wait" } else { "go" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_login_shell_hands_the_scripts_on_as_they_are() {
        for script in [AS_ROOT, IS_ROOT, BECOME] {
            // csh would take `!` for an event of its history.
            assert!(!script.contains(['\'', '\n', '`']), "{script}");
        }
        assert!(BECOME.contains(&format!("d={KEPT_IN};")));
    }

    #[test]
    fn the_scripts_are_what_a_plain_shell_reads() {
        for script in [AS_ROOT, IS_ROOT, BECOME] {
            let status = std::process::Command::new("sh").args(["-n", "-c", script]).status().unwrap();
            assert!(status.success(), "{script}");
        }
    }
}
