//! A planner as a filter: what comes in goes on as it is, and each host's new steps go behind its last record.
//!
//! Always true here: no more hosts are held than are planned at a time, one a processor; where anything is wrong no `end` is written, so that an executor
//! further down touches nothing. With `--check` or `--apply` nothing is executed before the stream was read to its end.

use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write, stdin, stdout};
use std::num::NonZero;
use std::path::{Component, Path, PathBuf};
use std::thread;

use clap::Args;
use pq_cli::{Failure, Form, OutputArgs, tool_name};
use pq_plan::{Plan, Planner, with_room};
use pq_recipes::Catalogue;
use pq_run::Mode;
use pq_stream::{Diagnostic, Host, Reader, Record, Run, Status, StreamError, Writer};

use crate::apply::ExecutionArgs;
use crate::listing::Listing;

/// The options of every planner.
#[derive(Debug, Clone, Args)]
pub struct FilterArgs {
    /// Execute nothing, and say what differs on the machine: this and every step before in the pipe
    #[arg(long, conflicts_with = "apply")]
    pub check: bool,
    /// Execute the plan: this and every step before in the pipe
    #[arg(long)]
    pub apply: bool,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What one planner does.
pub(crate) trait Layer: Send + Sync {
    /// A host has come.
    fn sees(&mut self, _host: &Host) {}

    /// Plans one host.
    fn plan(&self, planner: &Planner, host: &Host) -> Result<Plan, Diagnostic>;

    /// Whether what was asked for was there, once every host was planned: nothing was executed yet.
    fn finish(&self) -> Result<(), Diagnostic> {
        Ok(())
    }
}

/// Runs a planner over standard input.
///
/// # Errors
/// Where the stream is not whole, or a host cannot be planned.
pub(crate) fn run(args: &FilterArgs, layer: &mut dyn Layer) -> Result<Status, Failure> {
    no_terminal()?;
    over(stdin().lock(), args, layer)
}

/// Refuses to wait for somebody who would type a stream.
///
/// # Errors
/// Where standard input is a terminal.
pub(crate) fn no_terminal() -> Result<(), Failure> {
    if !stdin().is_terminal() {
        return Ok(());
    }
    let hint = format!("type `pq-inventory HOST | {}`", command());
    let error = Diagnostic::new("there is nothing to plan: standard input is a terminal");
    Err(Failure::input(error.hint(hint)))
}

/// Runs a planner over a stream.
///
/// # Errors
/// As [`run`].
pub(crate) fn over(input: impl BufRead, args: &FilterArgs, layer: &mut dyn Layer) -> Result<Status, Failure> {
    let mode = match (args.check, args.apply) {
        (true, _) => Some(Mode::Check),
        (_, true) => Some(Mode::Apply),
        _ => None,
    };
    if mode.is_none() && !args.execution.only.is_empty() {
        let error = Diagnostic::new("`--only` chooses what is executed, and a plan is only written here");
        return Err(Failure::input(
            error.hint("give it along with `--check` or `--apply`, or to `pq-apply`"),
        ));
    }
    if let Some(mode) = mode {
        return execute(input, mode, args, layer);
    }
    let mut out = BufWriter::new(stdout().lock());
    let status = match args.output.form()? {
        Form::Json => filter(input, &mut Writer::new(&mut out), &mut Listing::none(), layer)?,
        Form::Text => {
            let mut listing = Listing::new(args.execution.verbose > 0);
            let status = filter(input, &mut Writer::new(io::sink()), &mut listing, layer)?;
            out.write_all(listing.text(&command()).as_bytes()).map_err(|error| Failure::output(&error))?;
            status
        }
    };
    out.flush().map_err(|error| Failure::output(&error))?;
    Ok(status)
}

/// Plans, and executes the plan once all of it was read. It is never held as a whole stream: each host's steps go at once to
/// where they wait for their turn.
fn execute(
    input: impl BufRead,
    mode: Mode,
    args: &FilterArgs,
    layer: &mut dyn Layer,
) -> Result<Status, Failure> {
    let options = args.execution.options(mode, &args.output)?;
    let (plan, planned) = io::pipe()
        .map_err(|error| Failure::failed(Diagnostic::new("cannot make a pipe").cause(error.to_string())))?;
    let plan = thread::scope(|scope| {
        let read = scope.spawn(|| pq_fleet::read(BufReader::new(plan), &options));
        let mut planned = Writer::new(BufWriter::new(planned));
        let written = filter(input, &mut planned, &mut Listing::none(), layer);
        drop(planned);
        let read = read.join().unwrap_or_else(|_| Err(Diagnostic::new("the plan could not be read")));
        match written {
            // It stopped reading, and says why.
            Ok(_) | Err(Failure::ClosedPipe) => read.map_err(Failure::input),
            Err(failure) => Err(failure),
        }
    })?;
    pq_fleet::execute(plan, &options, &args.execution.crew())
}

/// Reads a stream to its end, and writes it with each host's steps.
fn filter<W: Write>(
    input: impl BufRead,
    out: &mut Writer<W>,
    listing: &mut Listing,
    layer: &mut dyn Layer,
) -> Result<Status, Failure> {
    let mut reader = Reader::new(input);
    let mut planner = None;
    let mut inventory = PathBuf::new();
    let mut waiting: Vec<Waiting> = Vec::new();
    let most = thread::available_parallelism().map_or(1, NonZero::get).min(8);
    let mut hosts = 0;
    loop {
        let (record, line) = match reader.next_record() {
            Ok(Some(next)) => next,
            Ok(None) => break,
            Err(error) => {
                unplanned(&waiting, out)?;
                return Err(broken(error));
            }
        };
        let ends = matches!(&record, Record::End(end) if end.host.is_none());
        let full = matches!(&record, Record::Host(_)) && waiting.len() == most;
        if (ends || full)
            && let Some(planner) = &planner
        {
            plan(std::mem::take(&mut waiting), planner, &inventory, layer, out, listing)?;
        }
        match (record, waiting.last_mut()) {
            (Record::Run(run), _) => {
                planner = Some(Planner::new(catalogue(&run).map_err(Failure::input)?));
                inventory = PathBuf::from(run.inventory);
                write(out.copy(&line))?;
            }
            (Record::Host(host), _) => {
                hosts += 1;
                layer.sees(&host);
                waiting.push(Waiting { lines: vec![line], host: Some(host), steps: 0 });
            }
            (record, Some(last)) => {
                // a host that failed further up in the pipe gets no further steps
                if let Record::End(end) = &record
                    && !matches!(end.status, Status::Done | Status::Differs)
                {
                    last.host = None;
                }
                if let (Record::Facts(facts), Some(host)) = (&record, &mut last.host) {
                    host.facts = facts.facts.clone();
                }
                last.steps += usize::from(matches!(record, Record::Step(_)));
                last.lines.push(line);
            }
            // the end is written when all is known to be well
            (_, None) => {}
        }
    }
    // None waits any more, unless the stream has no end.
    unplanned(&waiting, out)?;
    let end = reader.finish().map_err(broken)?.clone();
    if hosts == 0 {
        let error = Diagnostic::new("there is nothing to plan: the stream holds no host");
        return Err(Failure::input(error.hint(format!("type `pq-inventory HOST | {}`", command()))));
    }
    layer.finish().map_err(Failure::input)?;
    let status = end.status;
    write(out.write(&Record::End(end)))?;
    write(out.flush())?;
    Ok(status)
}

/// A host whose records have come; it is planned unless it failed before.
struct Waiting {
    lines: Vec<String>,
    host: Option<Host>,
    /// How many steps it has from the tools before.
    steps: usize,
}

/// Writes hosts as they came, where the stream broke before they could be planned: what is told of the next tool's input is
/// then true of this one's, too.
fn unplanned<W: Write>(waiting: &[Waiting], out: &mut Writer<W>) -> Result<(), Failure> {
    waiting.iter().flat_map(|it| &it.lines).try_for_each(|line| write(out.copy(line)))
}

/// Plans some hosts at a time, and writes each with its steps, in their order.
fn plan<W: Write>(
    waiting: Vec<Waiting>,
    planner: &Planner,
    inventory: &Path,
    layer: &dyn Layer,
    out: &mut Writer<W>,
    listing: &mut Listing,
) -> Result<(), Failure> {
    let failed = |cause: String| Err(Diagnostic::new("cannot plan").cause(cause));
    // One stack for all templates of a host.
    let planned =
        |host| with_room(|| layer.plan(planner, host)).unwrap_or_else(|error| failed(error.to_string()));
    let plans: Vec<Option<Result<Plan, Diagnostic>>> = thread::scope(|scope| {
        let begun: Vec<_> = waiting
            .iter()
            .map(|it| it.host.as_ref().map(|host| scope.spawn(move || planned(host))))
            .collect();
        let ended = |one: thread::ScopedJoinHandle<'_, _>| {
            one.join().unwrap_or_else(|_| failed("a thread ended before its host was planned".to_owned()))
        };
        begun.into_iter().map(|one| one.map(ended)).collect()
    });
    for (Waiting { lines, host, steps }, plan) in waiting.into_iter().zip(plans) {
        lines.iter().try_for_each(|line| write(out.copy(line)))?;
        let (Some(host), Some(plan)) = (host, plan) else { continue };
        let plan = plan.map_err(|error| Failure::input(quoted(error, inventory)))?;
        listing.host(&host.host, &plan, steps);
        for step in plan.steps {
            write(out.write(&Record::Step(step)))?;
        }
    }
    Ok(())
}

/// The recipes that are built in, and those of the inventory.
pub(crate) fn catalogue(run: &Run) -> Result<Catalogue, Diagnostic> {
    Catalogue::load(Some(&typed(&Path::new(&run.inventory).join("recipes"))))
}

/// An error that points into the inventory, as the user would type the file, with its line; no line of a secret file.
fn quoted(mut error: Diagnostic, inventory: &Path) -> Diagnostic {
    let Some(place) = error.place.as_mut().filter(|place| place.text.is_empty()) else { return error };
    let path = inventory.join(&place.file);
    let below = Path::new(&place.file).components().all(|part| matches!(part, Component::Normal(_)));
    if below && path.is_file() {
        if !place.file.ends_with(".age") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            place.text = text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default().to_owned();
        }
        place.file = typed(&path).display().to_string();
    }
    error
}

/// A path as the user would type it: relative where it is below the current directory.
fn typed(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

/// This command, as it was typed, without what only says how it should end.
fn command() -> String {
    let ends = ["--check", "--apply", "--text", "--json", "-v", "--verbose"];
    let words = std::env::args().skip(1).filter(|word| !ends.contains(&word.as_str()));
    std::iter::once(tool_name()).chain(words).collect::<Vec<_>>().join(" ")
}

fn write(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| Failure::output(&error))
}

pub(crate) fn broken(error: StreamError) -> Failure {
    let diagnostic = Diagnostic::from_error(&error);
    Failure::input(match error {
        StreamError::Empty | StreamError::Ended { .. } | StreamError::Cut { .. } => diagnostic
            .hint("did `pq-inventory`, or another tool before in the pipe, fail? its error is above"),
        StreamError::Upstream(_) => diagnostic.hint("its error is above"),
        _ => diagnostic,
    })
}
