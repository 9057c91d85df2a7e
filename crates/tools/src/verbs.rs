//! Options may stand before a command as well as behind it: `pq-instance --text clean` is `pq-instance clean --text`.
//!
//! It is no matter of clap's, for which a tool whose options end where a command begins cannot have both: what would be a command
//! behind options is an instance's id there.

use std::ffi::OsString;

use clap::{Command, CommandFactory, Parser};

/// What was typed.
pub(crate) fn parse<A: Parser + CommandFactory>() -> A {
    A::parse_from(ordered(std::env::args_os().collect(), &A::command()))
}

/// The arguments, with a command before the options that stand before it.
fn ordered(mut arguments: Vec<OsString>, tool: &Command) -> Vec<OsString> {
    let mut at = 1;
    while let Some(argument) = arguments.get(at).and_then(|it| it.to_str()) {
        if argument == "--" {
            break;
        }
        if argument.starts_with('-') && argument.len() > 1 {
            at += if takes_next(tool, argument) { 2 } else { 1 };
            continue;
        }
        if tool.find_subcommand(argument).is_some() {
            arguments[1..=at].rotate_right(1);
        }
        break;
    }
    arguments
}

/// Whether the value of an option is the argument behind it.
fn takes_next(tool: &Command, argument: &str) -> bool {
    let takes = |option: Option<&clap::Arg>| option.is_some_and(|it| it.get_action().takes_values());
    match argument.strip_prefix("--") {
        Some(long) => takes(tool.get_arguments().find(|it| it.get_long() == Some(long))),
        None => {
            // of `-vo`, the last
            let last = argument.chars().next_back();
            takes(tool.get_arguments().find(|it| it.get_short().is_some() && it.get_short() == last))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::{instance, server};

    #[test]
    fn a_command_behind_options_is_one() {
        let of = |tool: Command, typed: &str| {
            let typed = format!("tool {typed}").split_whitespace().map(OsString::from).collect();
            let words: Vec<String> =
                ordered(typed, &tool).into_iter().skip(1).map(|it| it.into_string().unwrap()).collect();
            words.join(" ")
        };
        let instance = || instance::Args::command();
        assert_eq!(of(instance(), "--text clean wiki"), "clean --text wiki");
        assert_eq!(
            of(instance(), "--check --only clean remove wiki -v"),
            "remove --check --only clean wiki -v"
        );
        assert_eq!(of(instance(), "clean --text"), "clean --text");
        assert_eq!(of(instance(), "--text wiki clean"), "--text wiki clean");
        assert_eq!(of(instance(), "--text -- clean"), "--text -- clean");
        assert_eq!(of(server::Args::command(), "--json packages --here"), "packages --json --here");
    }
}
