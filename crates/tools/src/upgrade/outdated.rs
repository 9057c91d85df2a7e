//! `pq-upgrade outdated`.

use std::io::{Write as _, stdout};
use std::time::SystemTime;

use pq_cli::{Failure, Table, tool_name};
use pq_fleet::Crew;
use pq_recipes::{App, Support, compare};
use pq_secrets::KeyFiles;
use pq_stream::{Facts, Record, Status, utc};

use super::with_facts;
use crate::facts::hosts;
use crate::filter::{catalogue, no_terminal};

/// Say which instances are behind what is pinned
///
/// Reads the stream of pq-inventory, asks the machines which versions are installed unless the stream says so, and sets beside them the newest
/// pinned one of the same major version, to which `pq-upgrade` goes by itself, and the newest of all; and until when upstream supports what is
/// installed, where the recipe knows. Only reads; the exit status is 3 where one is behind or without support. Versions that nobody pinned are not
/// seen.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Open the sealed secrets with the age identity in this file (default: $PQ_IDENTITY, else
    /// ~/.config/paquerette/identity.txt)
    #[arg(long, value_name = "FILE")]
    identity: Vec<std::path::PathBuf>,
    /// Ask so many hosts at a time
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
}

pub(super) fn tell_of(installed: &str, app: &App) -> (String, String) {
    let newer = |version: &&str| compare(version, installed).is_gt();
    let versions = app.pins.versions();
    let major = app.upgrade.major_of(installed);
    let same = versions.iter().copied().filter(newer).find(|version| app.upgrade.major_of(version) == major);
    let newest = versions.iter().copied().find(newer).filter(|newest| Some(*newest) != same);
    (same.unwrap_or_default().to_owned(), newest.unwrap_or_default().to_owned())
}

/// Says it.
pub(super) fn tell(args: &Args) -> Result<Status, Failure> {
    no_terminal()?;
    let crew = Crew { jobs: args.jobs.into(), max_fail: None, yes: true, ask_become_pass: false };
    let lines = with_facts(&KeyFiles::new(&args.identity, &[], None), &crew)?;
    let (run, hosts) = hosts(&lines)?;
    let Some(run) = run else { return Ok(Status::Done) };
    let catalogue = catalogue(&run).map_err(Failure::input)?;
    let facts: Vec<Facts> = lines
        .iter()
        .filter_map(|line| match serde_json::from_str(line) {
            Ok(Record::Facts(facts)) => Some(facts),
            _ => None,
        })
        .collect();
    let today: String = utc(SystemTime::now()).chars().take(10).collect();
    let mut table = Table::of(&["host", "id", "app", "installed", "newer", "next major", "upstream"]);
    let mut behind = false;
    for host in hosts.iter().map(|asked| &asked.host) {
        let said = facts.iter().find(|it| it.host == host.host).and_then(|it| it.facts.get("instances"));
        for instance in &host.instances {
            let is = said.and_then(|all| all.get(&instance.id)?.get("version")?.as_str());
            let (Some(is), Some(app)) = (is, catalogue.app(&instance.app)) else { continue };
            let (same, newest) = tell_of(is, app);
            let support = app.upgrade.support(is, &today);
            if same.is_empty() && newest.is_empty() && !matches!(support, Support::Ended(_)) {
                continue;
            }
            behind = true;
            table.row([
                host.host.clone(),
                instance.id.clone(),
                instance.app.clone(),
                is.to_owned(),
                same,
                newest,
                match support {
                    Support::Until(day) => format!("supports it until {day}"),
                    Support::Ended(Some(day)) => format!("ended on {day}"),
                    Support::Ended(None) => "ended".to_owned(),
                    Support::Unknown => String::new(),
                },
            ]);
        }
    }
    if !behind {
        pq_cli::tell(&format!(
            "{}: nothing is behind what is pinned, or known to be without support\n",
            tool_name()
        ));
        return Ok(Status::Done);
    }
    stdout().lock().write_all(table.text().as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(Status::Differs)
}

#[cfg(test)]
mod tests {
    use pq_recipes::Catalogue;

    use super::*;

    #[test]
    fn what_is_newer_is_told_apart_by_the_major_version() {
        let catalogue = Catalogue::load(None).unwrap();
        let cloud = catalogue.app("nextcloud").unwrap();
        let newest = cloud.pins.versions()[0].to_owned();
        assert_eq!(tell_of(&newest, cloud), (String::new(), String::new()));
        assert_eq!(tell_of("1.0", cloud), (String::new(), newest));
    }
}
