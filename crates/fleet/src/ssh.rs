//! The system's own `ssh`, with its configuration, keys, known hosts and gates as the operator has them.

use std::process::{Child, Command, Stdio};

use crate::login::Login;

/// Options of ours, after the inventory's.
///
/// A host that is off is known to be after ten seconds, and a cut line after 45. Forwardings of the operator's
/// configuration belong to sessions of people, and a master would outlive the run with our pipes in its hands.
const OPTIONS: [&str; 7] = [
    "-oConnectTimeout=10",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=3",
    "-oClearAllForwardings=yes",
    "-oControlMaster=no",
    "-oRemoteCommand=none",
    "-T",
];

/// The keys of a terminal are for us: ssh goes on until the machine was told to stop.
const DEAF: &str = r#"trap "" INT HUP; exec "$@""#;

/// Starts ssh with this command on the other side. `asks` is whether a person is there to answer its questions.
///
/// # Errors
/// What the system answers.
pub fn start(login: &Login, command: &str, asks: bool) -> std::io::Result<Child> {
    let mut ssh = Command::new("sh");
    ssh.args(["-c", DEAF, "sh", &login.program]).args(&login.options).args(OPTIONS);
    if !asks {
        ssh.arg("-oBatchMode=yes");
    }
    ssh.args(["--", &login.address, command]);
    ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}
