//! What a run that was killed had started and left at work: apt, pip, and whatever they start.
//!
//! Every command carries its run's process number in its environment, and what it starts inherits it. Closing files,
//! as apt and Python do, does not shake it off; services that systemd starts do not get it.

use std::fs;

/// The variable that carries the number.
pub(crate) const VARIABLE: &str = "PAQUERETTE_RUN";

/// The programs at work that the run with this process number had started, as `name (number)`, sorted.
pub fn left_behind(run: u32) -> Vec<String> {
    let mark = format!("{VARIABLE}={run}");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            // One that ends meanwhile, or a zombie, has none.
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let marked = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            (marked && id != std::process::id()).then(|| format!("{} ({id})", name.trim()))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_a_run_started_is_known_also_through_programs_that_close_all_files() {
        let script = "import subprocess; subprocess.run(['sleep', '30'], close_fds=True)";
        // The number of no process, and of no other run of this test.
        let run = 4_194_305 + std::process::id();
        let mut child =
            Command::new("python3").args(["-c", script]).env(VARIABLE, run.to_string()).spawn().unwrap();
        let both = || {
            let left = left_behind(run);
            left.len() == 2 && left.iter().any(|it| it.starts_with("sleep ("))
        };
        for _ in 0..200 {
            if both() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert!(both(), "{:?}", left_behind(run));
        child.kill().unwrap();
        child.wait().unwrap();
        let left = left_behind(run);
        assert!(left.len() == 1 && left[0].starts_with("sleep ("), "{left:?}");
        let id = left[0].trim_start_matches("sleep (").trim_end_matches(')');
        assert!(Command::new("kill").arg(id).status().unwrap().success());
    }
}
