//! What is asked of backups without changing anything: a forecast, how old they are, which there are, in which a file is.

use pq_backup::Session;
use pq_cli::Failure;
use pq_stream::Status;

use super::row::Row;
use super::say::Voice;

/// What is expected of the next run.
pub(super) fn forecast(session: &Session, items: &[String], voice: &mut Voice) -> Result<Status, Failure> {
    let (found, rooms) = pq_backup::forecast(session, items).map_err(Failure::input)?;
    let keep = session.setup.strategy.keep_free;
    let well =
        found.iter().all(|it| it.target.is_some() && it.wrong.is_empty()) && session.setup.broken.is_empty();
    for it in &found {
        let (item, target) = (it.item.clone(), it.target.clone());
        voice.row(Row::Forecast { item, size: it.size, added: it.added, known: it.known, target });
    }
    for (target, room) in rooms {
        let (free, size, left) = (room.free, room.size, room.left(keep));
        voice.row(Row::Room { target, free, size, left, keep: keep.get() });
    }
    voice.close("")?;
    found.iter().flat_map(|it| &it.wrong).for_each(|it| pq_backup::Teller::wrong(voice, it));
    Ok(if well { Status::Done } else { Status::Differs })
}

/// How old everything is.
pub(super) fn status(session: &Session, voice: &mut Voice) -> Result<Status, Failure> {
    let (items, targets) = pq_backup::status(session);
    let bad_target = targets.iter().any(|(_, known)| {
        known.as_ref().and_then(|it| it.verified.as_ref()).is_some_and(|it| !it.wrong.is_empty())
    });
    let well = !bad_target
        && session.setup.broken.is_empty()
        && items.iter().all(|it| !it.late && (it.unlisted || it.remembered.failed.is_none()));
    for it in items {
        let (newest, failed, proven) = (it.remembered.newest, it.remembered.failed, it.remembered.proven);
        let (item, late, unlisted) = (it.item, it.late, it.unlisted);
        voice.row(Row::Backup { item, late, unlisted, newest, failed, proven });
    }
    for (target, known) in targets {
        voice.row(Row::Target { target, known });
    }
    let mut well = well;
    for pq_backup::Kept { peer, late, known } in pq_backup::peers(session) {
        well &= !late && known.lost.is_none() && known.failed.is_none();
        voice.row(Row::Peer {
            peer,
            late,
            pulled: known.pulled,
            newest: known.newest,
            snapshots: known.snapshots,
            files: known.files,
            bytes: known.bytes,
            missing: known.missing.len(),
            refused: known.refused.len(),
            lost: known.lost,
            failed: known.failed,
        });
    }
    voice.close("")?;
    Ok(if well { Status::Done } else { Status::Differs })
}

/// The backups that there are.
pub(super) fn list(
    session: &Session,
    target: Option<&str>,
    item: Option<&str>,
    voice: &mut Voice,
) -> Result<Status, Failure> {
    for it in pq_backup::list(session, target, item).map_err(Failure::failed)? {
        let (item, set, time) = (it.item, it.set, it.time);
        voice.row(Row::Set { item, set, time, size: it.size, dumps: it.dumps, complete: it.complete });
    }
    voice.close(NO_BACKUP)?;
    Ok(Status::Done)
}

/// Files in backups.
pub(super) fn find(
    session: &Session,
    target: Option<&str>,
    item: &str,
    pattern: &str,
    voice: &mut Voice,
) -> Result<Status, Failure> {
    for it in pq_backup::find(session, target, item, pattern).map_err(Failure::failed)? {
        let (path, set, time) = (it.path, it.set, it.time);
        voice.row(Row::Found { path, set, time, size: it.size, changed: it.changed, kind: it.kind });
    }
    voice.close(NO_FILE)?;
    Ok(Status::Done)
}

/// What `list` says where there is none.
pub(super) const NO_BACKUP: &str = "there is no backup\n";

/// What `find` says where there is none.
pub(super) const NO_FILE: &str = "no backup has such a file\n";
