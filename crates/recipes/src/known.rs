//! Names that systems come with, so that a mistyped one is refused before anything runs, and not halfway through a run.

/// The locales that can be generated.
pub(crate) fn locales() -> impl Iterator<Item = &'static str> {
    names(include_str!("../known/locales"))
}

/// The time zones that a machine may keep.
pub(crate) fn timezones() -> impl Iterator<Item = &'static str> {
    names(include_str!("../known/timezones"))
}

fn names(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().filter(|line| !line.starts_with('#'))
}
