//! What certbot says, without what is for whoever sits before it.

use crate::Output;

/// Lines that help nobody.
const IDLE: [&str; 9] = [
    "Saving debug log",
    "Ask for help",
    "Some challenges have failed",
    "Plugins selected",
    "Requesting a certificate",
    "Renewing an existing certificate",
    "Account registered",
    "Hint:",
    "See the logfile",
];

/// Most of the lines that are kept.
const MOST: usize = 8;

/// What certbot says of why it failed. Where its version tells only of its own mistake, its log has the authority's words.
pub(super) fn said(output: &Output, log: &str) -> Vec<String> {
    let text = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let idle = |line: &&str| !line.is_empty() && !IDLE.iter().any(|idle| line.starts_with(idle));
    let mut lines: Vec<String> = text.lines().map(str::trim).filter(idle).map(str::to_owned).collect();
    lines.retain(|line| line != "An unexpected error occurred:");
    let hidden = lines.is_empty() || lines.iter().any(|line| line.starts_with("AttributeError"));
    if let Some(words) = in_log(log).filter(|_| hidden) {
        lines = vec![words];
    }
    let more = lines.len().saturating_sub(MOST);
    lines.drain(..more);
    match lines.is_empty() {
        true => vec![format!("certbot ended with status {}, and said nothing", output.status)],
        false => lines,
    }
}

/// The last problem that the authority told, as it stands in a log: `type: detail`.
fn in_log(log: &str) -> Option<String> {
    let value = |line: &str, field: &str| {
        let rest = line.trim().strip_prefix(&format!("\"{field}\": \""))?;
        Some(rest.trim_end_matches(',').trim_end_matches('"').to_owned())
    };
    let last = |field: &str| log.lines().rev().find_map(|line| value(line, field));
    let kind =
        log.lines().rev().find_map(|line| value(line, "type").filter(|kind| kind.contains(":error:")))?;
    let kind = kind.rsplit(':').next().unwrap_or_default().to_owned();
    Some(last("detail").map_or_else(|| kind.clone(), |detail| format!("{kind}: {detail}")))
}

/// Whether certbot is at work already.
pub(super) fn is_at_work(output: &Output) -> bool {
    [&output.stderr, &output.stdout]
        .iter()
        .any(|text| text.contains("Another instance of Certbot is already running"))
}

/// Whether the authority took a number that it had given itself for a bad one: the same may go well the next time.
pub(super) fn is_nonce(said: &[String]) -> bool {
    said.iter().any(|line| line.contains("badNonce") || line.contains("anti-replay nonce"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stderr: &str) -> Output {
        Output { status: 1, stdout: String::new(), stderr: stderr.to_owned() }
    }

    #[test]
    fn the_authoritys_words_are_kept() {
        let said = said(
            &output(
                "Saving debug log to /x\nAn unexpected error occurred:\nThe server is busy\nAsk for help or search…\n",
            ),
            "",
        );
        assert_eq!(said, ["The server is busy"]);
    }

    #[test]
    fn what_an_old_certbot_hides_stands_in_its_log() {
        let log = "{\n  \"type\": \"urn:ietf:params:acme:error:badNonce\",\n  \"detail\": \"JWS has an invalid anti-replay nonce: x\",\n  \"status\": 400\n}\n";
        let said = said(&output("An unexpected error occurred:\nAttributeError: can't set attribute\n"), log);
        assert_eq!(said, ["badNonce: JWS has an invalid anti-replay nonce: x"]);
        assert!(is_nonce(&said));
    }
}
