//! Ways over HTTP: a page of one's own, ntfy, Mattermost, Matrix. Taken is what was answered with 2xx.

use pq_items::{Matrix, Mattermost, Ntfy, Webhook};
use serde_json::{Value, json};

use super::{PATIENCE, secret};
use crate::message::Letter;
use crate::{Level, web};

/// The longest text that goes to a chat.
const LONGEST: usize = 3_500;

/// A page that takes the letter as JSON.
pub fn webhook(hook: &Webhook, letter: &Letter) -> Result<(), String> {
    let token = hook.token_file.as_ref().map(secret).transpose()?;
    let body = serde_json::to_value(letter).map_err(|error| error.to_string())?;
    let ca = hook.ca.as_ref().map(|ca| ca.as_str());
    say("POST", hook.url.as_str(), &format!("`{}`", hook.url), (&letter.id, token.as_deref(), ca), &body)
}

/// A topic of ntfy (<https://docs.ntfy.sh/publish/#publish-as-json>).
pub fn ntfy(ntfy: &Ntfy, letter: &Letter) -> Result<(), String> {
    let topic = secret(&ntfy.topic_file)?;
    let token = ntfy.token_file.as_ref().map(secret).transpose()?;
    let (priority, tag) = match (letter.over, letter.level) {
        (true, _) => (3, "white_check_mark"),
        (_, Level::Critical) => (5, "rotating_light"),
        (_, Level::Ok) => (2, "information_source"),
        _ => (4, "warning"),
    };
    let body = json!({
        "topic": topic, "title": letter.title, "message": short(&letter.text), "priority": priority, "tags": [tag],
    });
    say("POST", ntfy.url.as_str(), &format!("`{}`", ntfy.url), (&letter.id, token.as_deref(), None), &body)
}

/// An incoming webhook of Mattermost.
pub fn mattermost(hook: &Mattermost, letter: &Letter) -> Result<(), String> {
    let url = secret(&hook.url_file)?;
    let place = format!("the page that `{}` names", hook.url_file);
    let text = format!(
        "**{}**\n```\n{}```",
        letter.title.replace('*', "\\*"),
        short(&letter.text).replace("```", "'''")
    );
    say("POST", &url, &place, (&letter.id, None, None), &json!({ "text": text }))
}

/// A room of Matrix (<https://spec.matrix.org/v1.11/client-server-api/#sending-events-to-a-room>): what comes twice with one id is
/// one message there.
pub fn matrix(matrix: &Matrix, letter: &Letter) -> Result<(), String> {
    let token = secret(&matrix.token_file)?;
    let server = matrix.url.as_str().trim_end_matches('/');
    let room = matrix
        .room
        .as_str()
        .replace('%', "%25")
        .replace('!', "%21")
        .replace(':', "%3A")
        .replace('#', "%23")
        .replace('/', "%2F");
    let url = format!("{server}/_matrix/client/v3/rooms/{room}/send/m.room.message/{}", letter.id);
    let body = json!({ "msgtype": "m.text", "body": format!("{}\n{}", letter.title, short(&letter.text)) });
    say("PUT", &url, &format!("`{}`", matrix.url), (&letter.id, Some(&token), None), &body)
}

fn say(
    method: &str,
    url: &str,
    place: &str,
    (id, token, ca): (&str, Option<&str>, Option<&str>),
    body: &Value,
) -> Result<(), String> {
    let agent = web::agent(ca, None, PATIENCE)?;
    let request = match method {
        "PUT" => agent.put(url),
        _ => agent.post(url),
    };
    let mut request = request.header("Content-Type", "application/json").header("Idempotency-Key", id);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let answer = request.send(body.to_string()).map_err(|error| web::silent(place, &error).message)?;
    match answer.status().as_u16() {
        200..300 => Ok(()),
        status => Err(format!("{place} answers {status}")),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…\n", &text[..at]),
        None => text.to_owned(),
    }
}
