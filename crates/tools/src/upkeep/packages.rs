//! `pq-server packages`.

use std::fmt::Write as _;
use std::time::SystemTime;

use pq_cli::{Failure, Table, age, printable, report, tool_name};
use pq_fleet::Asked;
use pq_plan::{Choice, Planner};
use pq_stream::{Diagnostic, HostPackages, PackageUpgrade, Record, Run, Status, from_utc};

use super::{AskArgs, Asking, counted};
use crate::filter::catalogue;

/// What is asked of packages.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Upgrade, restart what needs it, and look whether all is well
    #[arg(long)]
    apply: bool,
    /// Only what is for security
    #[arg(long)]
    security: bool,
    /// Do not ask before more than one host is changed
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    ask: AskArgs,
}

/// Asks hosts for their packages, or upgrades them.
pub(super) fn tell(args: &Args) -> Result<Status, Failure> {
    let mut asking = Asking::read(&args.ask, args.yes)?;
    let Asking { run, hosts, keys, crew, .. } = &mut asking;
    let mut answers = match args.apply {
        true => {
            with_health(run, hosts);
            pq_fleet::upgrade(args.security, run, hosts, keys, crew)?
        }
        false => pq_fleet::packages(run, hosts, keys, crew)?,
    };
    if args.security {
        answers.iter_mut().flatten().for_each(|it| it.upgrades.retain(|upgrade| upgrade.security));
    }
    answers.iter().flatten().for_each(complain);
    let status = |it: &HostPackages| match &it.done {
        Some(done) if done.problems.is_empty() => Status::Done,
        Some(_) => Status::Failed,
        None if it.is_behind() => Status::Differs,
        None => Status::Done,
    };
    asking.write(answers, |it| shown(it, SystemTime::now()), Record::Packages, status)
}

/// Gives each host the steps that ask its instances whether they are well.
fn with_health(run: &Run, hosts: &mut [Asked]) {
    if hosts.iter().all(|it| it.host.instances.is_empty()) {
        return;
    }
    let planner = catalogue(run).map(Planner::new);
    for asked in hosts.iter_mut().filter(|it| !it.host.instances.is_empty()) {
        let plan = planner.as_ref().map_err(Clone::clone);
        match plan.and_then(|planner| planner.instances(&asked.host, &Choice::default())) {
            Ok(plan) => {
                let health = plan.steps.into_iter().filter(|it| it.kind == "http" && it.secrets.is_empty());
                let lines = health.filter_map(|step| serde_json::to_string(&Record::Step(step)).ok());
                asked.steps = lines.fold(String::new(), |all, line| all + &line + "\n");
            }
            Err(error) => {
                let (tool, host) = (tool_name(), &asked.host.host);
                let why = printable(&error.to_string());
                pq_cli::tell(&format!(
                    "{tool}: note: the instances of host `{host}` are not asked whether they are well: {why}\n"
                ));
            }
        }
    }
}

/// What failed on a host, as errors.
fn complain(packages: &HostPackages) {
    for problem in packages.done.iter().flat_map(|done| done.problems.clone()) {
        report(&Diagnostic {
            message: format!("host `{}`: {}", packages.host, problem.message),
            place: None,
            causes: problem.causes,
            hints: problem.hints,
        });
    }
}

/// One machine, for people.
fn shown(is: &HostPackages, now: SystemTime) -> String {
    let mut text = format!("{}\n", printable(&is.host));
    let mut table = Table::default();
    let mut line = |what: &str, cells: &[&str]| {
        table.row([what].into_iter().chain(cells.iter().copied()).map(str::to_owned));
    };
    for it in is.done.iter().flat_map(|done| &done.upgraded) {
        upgrade(&mut line, "upgraded", it);
    }
    for it in &is.upgrades {
        let what = match (it.security, &it.from) {
            (true, _) => "security",
            (false, Some(_)) => "upgrade",
            (false, None) => "new",
        };
        upgrade(&mut line, what, it);
    }
    for it in &is.held {
        let versions = versions(it.from.as_deref(), it.to.as_deref().unwrap_or("?"));
        line("held back", &[&it.name, &versions, &it.why]);
    }
    is.removes.iter().for_each(|name| line("would remove", &[name]));
    is.unfinished.iter().for_each(|name| line("unfinished", &[name]));
    text.push_str(&table.text());
    let mut table = Table::default();
    let mut line = |what: &str, cells: &[&str]| {
        table.row([what].into_iter().chain(cells.iter().copied()).map(str::to_owned));
    };
    if let Some(done) = &is.done {
        done.restarted.iter().for_each(|unit| line("restarted", &[unit]));
        done.well.iter().for_each(|owner| line("well", &[owner]));
    }
    for it in &is.outdated {
        let files = it.files.iter().map(|file| file.rsplit('/').next().unwrap_or(file)).collect::<Vec<_>>();
        let files = format!("runs on what was replaced: {}", files.join(", "));
        match &it.listed {
            None => line("restart", &[&it.unit, &files]),
            Some(why) => line("not restarted", &[&it.unit, why]),
        }
    }
    is.reboot.iter().for_each(|why| line("reboot", &[why]));
    is.failed.iter().for_each(|unit| line("failed", &[unit]));
    text.push_str(&table.text());
    let _ = writeln!(text, "{}: {}", printable(&is.host), summary(is, now));
    text
}

fn upgrade(line: &mut impl FnMut(&str, &[&str]), what: &str, it: &PackageUpgrade) {
    line(what, &[&it.name, &versions(it.from.as_deref(), &it.to), &it.origins.join(", ")]);
}

fn versions(from: Option<&str>, to: &str) -> String {
    match from {
        Some(from) => format!("{from} → {to}"),
        None => format!("→ {to}"),
    }
}

/// A machine in one line.
fn summary(is: &HostPackages, now: SystemTime) -> String {
    let mut parts = Vec::new();
    if let Some(done) = &is.done {
        parts.push(format!("{} upgraded", done.upgraded.len()));
        parts.push(format!("{} restarted", done.restarted.len()));
        if !done.problems.is_empty() {
            parts.push(counted(done.problems.len(), "problem", "problems"));
        }
    }
    let security = is.upgrades.iter().filter(|it| it.security).count();
    parts.push(match is.upgrades.len() {
        0 => "nothing to upgrade".to_owned(),
        many => format!("{many} to upgrade, {security} for security"),
    });
    let restart = is.outdated.iter().filter(|it| it.listed.is_none()).count();
    if restart > 0 {
        parts.push(format!("{} to restart", counted(restart, "service", "services")));
    }
    if !is.unfinished.is_empty() {
        parts.push(format!("{} unfinished", is.unfinished.len()));
    }
    if !is.held.is_empty() {
        parts.push(format!("{} held back", is.held.len()));
    }
    if !is.reboot.is_empty() {
        parts.push("to be booted anew".to_owned());
    }
    let lists = match is.lists.as_deref().and_then(from_utc) {
        Some(time) => format!("lists of {} ago", age(time, now)),
        None => "apt has no lists".to_owned(),
    };
    format!("{} ({lists})", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_stream::{OutdatedService, PackageHeld, PackagesDone};
    use std::time::Duration;

    fn example() -> HostPackages {
        let upgrade = |name: &str, from: Option<&str>, security| PackageUpgrade {
            name: name.to_owned(),
            from: from.map(str::to_owned),
            to: "2".to_owned(),
            origins: vec!["Debian:12.9/stable".to_owned()],
            security,
        };
        HostPackages {
            host: "web".to_owned(),
            lists: Some("2026-11-23T06:42:00Z".to_owned()),
            upgrades: vec![upgrade("openssl", Some("1"), true), upgrade("linux-image", None, false)],
            held: vec![PackageHeld {
                name: "curl".to_owned(),
                from: Some("1".to_owned()),
                to: Some("2".to_owned()),
                why: "it is on hold".to_owned(),
            }],
            outdated: vec![OutdatedService {
                unit: "nginx.service".to_owned(),
                files: vec!["/usr/lib/libssl.so.3".to_owned()],
                listed: None,
            }],
            reboot: vec!["`/run/reboot-required` says so".to_owned()],
            ..HostPackages::default()
        }
    }

    #[test]
    fn a_machine_is_shown_security_first_and_summed_up() {
        let now = from_utc("2026-11-23T09:42:00Z").unwrap();
        assert_eq!(
            shown(&example(), now),
            "web\n\
             \x20 security   openssl      1 → 2  Debian:12.9/stable\n\
             \x20 new        linux-image  → 2    Debian:12.9/stable\n\
             \x20 held back  curl         1 → 2  it is on hold\n\
             \x20 restart  nginx.service                   runs on what was replaced: libssl.so.3\n\
             \x20 reboot   `/run/reboot-required` says so\n\
             web: 2 to upgrade, 1 for security, 1 service to restart, 1 held back, to be booted anew (lists of 3 h ago)\n"
        );
    }

    #[test]
    fn what_was_done_is_told_before_what_is_left() {
        let done = PackagesDone {
            restarted: vec!["nginx.service".to_owned()],
            well: vec!["wiki".to_owned()],
            ..PackagesDone::default()
        };
        let is = HostPackages { host: "web".to_owned(), done: Some(done), ..HostPackages::default() };
        let text = shown(&is, SystemTime::UNIX_EPOCH + Duration::from_secs(9));
        assert_eq!(
            text,
            "web\n  restarted  nginx.service\n  well       wiki\n\
             web: 0 upgraded, 1 restarted, nothing to upgrade (apt has no lists)\n"
        );
    }
}
