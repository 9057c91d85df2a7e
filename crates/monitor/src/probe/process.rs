//! Processes, by the name of their program and by whose they are.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pq_items::Process;

use crate::{Answer, bounded};

/// The longest name that the kernel keeps of a process (proc(5), `comm`).
const LONGEST: usize = 15;

/// Asks for them.
pub fn ask(process: &Process) -> Answer {
    let user = match process.user.as_ref().map(|name| (name.as_str(), number(name.as_str()))) {
        Some((name, None)) => {
            return Answer::critical(
                "user",
                format!("there is no user `{name}`, whose processes should run"),
            );
        }
        Some((_, id)) => id,
        None => None,
    };
    let name = process.name.as_str();
    let count = count(Path::new("/proc"), name, user);
    let whose = process.user.as_ref().map_or_else(String::new, |user| format!(" of `{user}`"));
    let (least, most) = (process.least, process.most);
    let answer = match count {
        0 if least > 0 => Answer::critical("absent", format!("no process `{name}`{whose} runs")),
        _ if count < least => {
            Answer::critical("few", format!("{count} processes `{name}`{whose} run, fewer than {least}"))
        }
        _ if most.is_some_and(|most| count > most) => {
            let text =
                format!("{count} processes `{name}`{whose} run, more than {}", most.unwrap_or_default());
            Answer::warning("many", text)
        }
        1 => Answer::ok(format!("one process `{name}`{whose} runs")),
        _ => Answer::ok(format!("{count} processes `{name}`{whose} run")),
    };
    answer.value(f64::from(count), "")
}

/// The number of a user; a number is its own.
fn number(name: &str) -> Option<u32> {
    let users = bounded::text(Path::new("/etc/passwd")).unwrap_or_default();
    let of = |line: &str| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    };
    users.lines().find_map(of).or_else(|| name.parse().ok())
}

fn count(proc: &Path, name: &str, user: Option<u32>) -> u32 {
    let mut count = 0;
    for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
        let numeric = entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
        if !numeric || user.is_some_and(|id| entry.metadata().map(|it| it.uid()).ok() != Some(id)) {
            continue;
        }
        // `12 (name) S …`: what has ended and waits for its parent is none.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((head, tail)) = stat.rsplit_once(')') else { continue };
        let comm = head.split_once('(').map_or("", |(_, comm)| comm);
        let over = tail.trim_start().starts_with(['Z', 'X']);
        let short: String = name.chars().take(LONGEST).collect();
        let matches = comm == name
            || name.len() > LONGEST && comm == short
            || program(&entry.path()).as_deref() == Some(name);
        count += u32::from(!over && matches);
    }
    count
}

/// The name of the file of its program.
fn program(process: &Path) -> Option<String> {
    let exe = fs::read_link(process.join("exe")).ok()?;
    let name = exe.file_name()?.to_string_lossy().into_owned();
    Some(name.strip_suffix(" (deleted)").map(str::to_owned).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_run_are_counted_and_those_that_ended_are_not() {
        let dir = tempfile::tempdir().unwrap();
        for (id, stat) in
            [("1", "1 (nginx) S 0"), ("2", "2 (nginx) Z 1"), ("3", "3 (a (b) c) R 1"), ("x", "4 (nginx) S 0")]
        {
            fs::create_dir(dir.path().join(id)).unwrap();
            fs::write(dir.path().join(id).join("stat"), stat).unwrap();
        }
        assert_eq!(count(dir.path(), "nginx", None), 1);
        assert_eq!(count(dir.path(), "a (b) c", None), 1);
        assert_eq!(count(dir.path(), "nginx", Some(u32::MAX)), 0);
    }

    #[test]
    fn a_real_process_is_found_by_its_name_and_user() {
        let of = |text: &str| ask(&pq_items::read::<Process>("x", "x", text).unwrap()).code;
        let me = fs::read_to_string("/proc/self/comm").unwrap().trim().to_owned();
        assert_eq!(of(&format!("{{ name: '{me}' }}")), "ok");
        assert_eq!(of(&format!("{{ name: '{me}', most: 0, least: 0 }}")), "many");
        assert_eq!(of("{ name: no-such-program }"), "absent");
        assert_eq!(of("{ name: sh, user: no-such-user }"), "user");
    }
}
