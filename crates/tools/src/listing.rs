//! What a planner shows people: one line a component or instance, or with `-v` each step.

use std::fmt::Write;

use pq_plan::Plan;

/// What was planned, as text.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    on: bool,
    verbose: bool,
    text: String,
    steps: usize,
    before: usize,
}

impl Listing {
    /// One that notes nothing.
    pub fn none() -> Self {
        Listing::default()
    }

    /// One for people.
    pub fn new(verbose: bool) -> Self {
        Listing { on: true, verbose, ..Listing::default() }
    }

    /// Notes the plan of a host, for which the tools before have planned so many steps.
    pub fn host(&mut self, name: &str, plan: &Plan, before: usize) {
        self.before += before;
        if !self.on || plan.steps.is_empty() {
            return;
        }
        let _ = writeln!(self.text, "{name}");
        let width = plan.parts.iter().map(|part| part.owner.len()).max().unwrap_or_default();
        for part in &plan.parts {
            let count = match part.steps.len() {
                1 => "1 step".to_owned(),
                many => format!("{many} steps"),
            };
            let _ = writeln!(self.text, "  {:width$}  {} ({count})", part.owner, printable(&part.about));
            for step in part.steps.iter().filter_map(|at| plan.steps.get(*at)).filter(|_| self.verbose) {
                let _ = writeln!(self.text, "    {}  {}", step.id, printable(&step.title));
            }
        }
        self.steps += plan.steps.len();
    }

    /// The text, with the commands that go on.
    pub fn text(mut self, command: &str) -> String {
        let before = match self.before {
            0 => String::new(),
            before => format!(", behind {before} of the tools before"),
        };
        let _ = writeln!(self.text, "{} steps{before}; nothing was looked at, nothing changed", self.steps);
        let _ = writeln!(self.text, "  what differs:  … | {command} --check");
        let _ = writeln!(self.text, "  do it:         … | {command} --apply");
        self.text
    }
}

/// Control characters as escapes: a terminal would obey them.
fn printable(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}
