//! `groupadd`, `useradd`, `usermod`, `groupdel`, `userdel`: `/etc/passwd` and `/etc/group`, each replaced whole.

use pq_steps::{Command, Error, Output};

use super::{arguments, done, fails};
use crate::memory::MemoryMachine;

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// The options of one of the three, and the name at its end.
#[derive(Default)]
struct Options<'a> {
    name: &'a str,
    system: bool,
    gid: Option<&'a str>,
    home: Option<&'a str>,
    shell: Option<&'a str>,
    comment: Option<&'a str>,
    groups: Option<Vec<&'a str>>,
}

fn options<'a>(arguments: &[&'a str]) -> Result<Options<'a>, String> {
    let mut found = Options::default();
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let mut value = || rest.next().copied().ok_or_else(|| format!("option {word} requires an argument"));
        match *word {
            "--system" => found.system = true,
            "--no-create-home" | "--no-user-group" => {}
            "--gid" => found.gid = Some(value()?),
            "--home-dir" | "--home" => found.home = Some(value()?),
            "--shell" => found.shell = Some(value()?),
            "--comment" => found.comment = Some(value()?),
            "--groups" => {
                found.groups = Some(value()?.split(',').filter(|name| !name.is_empty()).collect());
            }
            option if option.starts_with('-') => return Err(format!("unrecognized option '{option}'")),
            name => found.name = name,
        }
    }
    Ok(found)
}

fn line_of<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)
}

/// A number that no line has: from 999 down for the system, from 1000 up for people.
fn free_number(text: &str, system: bool) -> u32 {
    let taken = |number: &u32| {
        let number = number.to_string();
        text.lines().any(|line| line.split(':').nth(2) == Some(&number))
    };
    let found =
        if system { (100..=999).rev().find(|n| !taken(n)) } else { (1000..60_000).find(|n| !taken(n)) };
    found.unwrap_or(60_000)
}

/// The text with another line in the place of `name`'s.
fn with_line(text: &str, name: &str, line: &str) -> String {
    let lines = text.lines().map(|is| if is.split(':').next() == Some(name) { line } else { is });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Has a user in these groups and no others, by one replacement of the file.
fn join(machine: &mut MemoryMachine, user: &str, groups: &[&str]) -> Result<(), Error> {
    let mut text = machine.disk.text(GROUPS);
    for line in machine.disk.text(GROUPS).lines() {
        let mut fields: Vec<&str> = line.split(':').collect();
        let wanted = groups.contains(&fields[0]);
        let mut members: Vec<&str> = fields[3].split(',').filter(|member| !member.is_empty()).collect();
        match members.iter().position(|member| *member == user) {
            Some(at) if !wanted => drop(members.remove(at)),
            None if wanted => members.push(user),
            _ => continue,
        }
        let members = members.join(",");
        fields[3] = &members;
        text = with_line(&text, fields[0], &fields.join(":"));
    }
    machine.disk.replace(GROUPS, text.as_bytes())
}

pub(super) fn groupadd(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    let arguments = arguments(command);
    let options = match options(&arguments) {
        Ok(options) => options,
        Err(why) => return fails(2, why),
    };
    let text = machine.disk.text(GROUPS);
    if line_of(&text, options.name).is_some() {
        return fails(9, format!("groupadd: group '{}' already exists", options.name));
    }
    let line = format!("{}:x:{}:\n", options.name, free_number(&text, options.system));
    machine.disk.replace(GROUPS, (text + &line).as_bytes())?;
    done()
}

pub(super) fn useradd(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    let arguments = arguments(command);
    let options = match options(&arguments) {
        Ok(options) => options,
        Err(why) => return fails(2, why),
    };
    let (users, groups) = (machine.disk.text(USERS), machine.disk.text(GROUPS));
    if line_of(&users, options.name).is_some() {
        return fails(9, format!("useradd: user '{}' already exists", options.name));
    }
    let primary = line_of(&groups, options.gid.unwrap_or("nogroup"));
    let Some(primary) =
        primary.filter(|_| options.groups.iter().flatten().all(|g| line_of(&groups, g).is_some()))
    else {
        return fails(6, "useradd: group does not exist");
    };
    let line = format!(
        "{}:x:{}:{}:{}:{}:{}\n",
        options.name,
        free_number(&users, options.system),
        primary[2],
        options.comment.unwrap_or(""),
        options.home.unwrap_or("/nonexistent"),
        options.shell.unwrap_or("/bin/sh")
    );
    machine.disk.replace(USERS, (users + &line).as_bytes())?;
    if let Some(wanted) = &options.groups {
        join(machine, options.name, wanted)?;
    }
    done()
}

pub(super) fn usermod(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    let arguments = arguments(command);
    let options = match options(&arguments) {
        Ok(options) => options,
        Err(why) => return fails(2, why),
    };
    let (users, groups) = (machine.disk.text(USERS), machine.disk.text(GROUPS));
    let Some(mut fields) = line_of(&users, options.name) else {
        return fails(6, format!("usermod: user '{}' does not exist", options.name));
    };
    if let Some(gid) = options.gid {
        match line_of(&groups, gid) {
            Some(group) => fields[3] = group[2],
            None => return fails(6, format!("usermod: group '{gid}' does not exist")),
        }
    }
    for (index, value) in [(4, options.comment), (5, options.home), (6, options.shell)] {
        fields[index] = value.unwrap_or(fields[index]);
    }
    let line = fields.join(":");
    let after = with_line(&users, options.name, &line);
    if after != users {
        machine.disk.replace(USERS, after.as_bytes())?;
    }
    if let Some(wanted) = &options.groups {
        join(machine, options.name, wanted)?;
    }
    done()
}

pub(super) fn groupdel(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    delete(machine, command, GROUPS, "groupdel: group")
}

/// The user goes first, then the memberships, then its own group, where it has one.
pub(super) fn userdel(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    let output = delete(machine, command, USERS, "userdel: user")?;
    if output.status == 0 {
        let arguments = arguments(command);
        let name = arguments.last().copied().unwrap_or_default();
        join(machine, name, &[])?;
        delete(machine, command, GROUPS, "userdel: group")?;
    }
    Ok(output)
}

/// Takes the line of the name at the end of the arguments out of a file.
fn delete(machine: &mut MemoryMachine, command: &Command, file: &str, what: &str) -> Result<Output, Error> {
    let arguments = arguments(command);
    let name = arguments.last().copied().unwrap_or_default();
    let text = machine.disk.text(file);
    if line_of(&text, name).is_none() {
        return fails(6, format!("{what} '{name}' does not exist"));
    }
    let left = text.lines().filter(|line| line.split(':').next() != Some(name));
    let left: String = left.map(|line| format!("{line}\n")).collect();
    machine.disk.replace(file, left.as_bytes())?;
    done()
}
