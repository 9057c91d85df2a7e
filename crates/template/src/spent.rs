//! What one resolution has cost so far: a rendering, and every rendering that it starts by reading variables.
//!
//! It is counted by thread, since the engine knows only single renderings; a rendering that goes on in another thread
//! takes the counts along. Always true here: the outermost rendering starts from nothing.

use std::cell::Cell;
use std::thread;

use minijinja::value::ObjectRepr;
use minijinja::{Error, ErrorKind, Value};

/// Instructions (64 bytes made count as one) that one rendering may take: a tenth of a second, 64 MB.
pub(crate) const FUEL: u64 = 1_000_000;

/// The same for a rendering with all that it starts.
const TOTAL: u64 = 2_000_000;

/// Values that may be looked through for secrets.
const WALK: u64 = 5_000_000 / SLOWER;

/// What a value counts that is written as text.
const WRITTEN: u64 = 8;

/// The tests of this crate, and what fuzzes it, run unoptimized: there less work is too much.
pub(crate) const SLOWER: u64 = if cfg!(any(test, fuzzing)) { 10 } else { 1 };

/// Renderings that start each other in a row.
pub(crate) const MAX_DEPTH: u32 = 1000;

/// After so many renderings in a row the next one has a stack of its own. Measured: one takes 30 KiB unoptimized.
const STACK_LASTS: u32 = 32;

/// The stack for that many, with four times what they need.
const STACK: usize = 4 << 20;

/// The stack for a template that may be deep: a value made in a loop is dropped a level at a time. Only what is used of
/// it is taken.
const ROOM: usize = 128 << 20;

#[derive(Clone, Copy, Default)]
struct Spent {
    depth: u32,
    fuel: u64,
    walked: u64,
    /// Whether this thread has the large stack.
    roomy: bool,
}

thread_local! {
    static SPENT: Cell<Spent> = const { Cell::new(Spent { depth: 0, fuel: 0, walked: 0, roomy: false }) };
}

fn out_of_fuel() -> Error {
    Error::from(ErrorKind::OutOfFuel)
}

/// Counts values that were looked through.
///
/// # Errors
/// Where it were too many.
pub(crate) fn walk(values: u64) -> Result<(), Error> {
    let mut spent = SPENT.get();
    if spent.depth == 0 {
        return Ok(());
    }
    spent.walked += values;
    SPENT.set(spent);
    if spent.walked > WALK { Err(out_of_fuel()) } else { Ok(()) }
}

/// Counts what is read of a long text whenever it is looked at: by the guards for a secret in it, and by what they guard.
///
/// # Errors
/// Where it were too much.
pub(crate) fn read(value: &Value) -> Result<(), Error> {
    walk(value.as_str().map_or(0, str::len) as u64 / 32)
}

/// Counts a value that is written: what its text takes to look through and to escape comes on top of the value.
///
/// # Errors
/// Where it were too many.
pub(crate) fn write(text: &str) -> Result<(), Error> {
    walk(WRITTEN + text.len() as u64 / 16)
}

/// Refuses to begin what would be too much in the end; counts nothing.
///
/// # Errors
/// Where so many values cannot be looked through.
pub(crate) fn afford(values: usize) -> Result<(), Error> {
    let spent = SPENT.get();
    if spent.depth > 0 && spent.walked.saturating_add(values as u64) > WALK {
        return Err(out_of_fuel());
    }
    Ok(())
}

/// Counts what reaching into a list takes: all that stands before an item where it is made as it is read.
///
/// # Errors
/// Where it were too many.
pub(crate) fn reach(list: &Value) -> Result<(), Error> {
    match list.as_object() {
        Some(object) if object.repr() == ObjectRepr::Iterable => {
            walk(object.enumerator_len().unwrap_or(0) as u64)
        }
        _ => Ok(()),
    }
}

/// Runs one rendering, which answers with the fuel that it took.
///
/// # Errors
/// Its own, or that too much was spent.
pub(crate) fn rendering<R: Send>(
    render: impl FnOnce() -> Result<(R, u64), Error> + Send,
) -> Result<R, Error> {
    let before = SPENT.get();
    let mut now = if before.depth == 0 { Spent { roomy: before.roomy, ..Spent::default() } } else { before };
    now.depth += 1;
    if now.depth > MAX_DEPTH {
        let cause = format!("more than {MAX_DEPTH} templates read each other in a row");
        return Err(Error::new(ErrorKind::InvalidOperation, cause));
    }
    let thread = before.depth > 0 && before.depth.is_multiple_of(STACK_LASTS);
    now.roomy = before.roomy && !thread;
    let run = || {
        SPENT.set(now);
        let result = render();
        (result, SPENT.get())
    };
    let (result, mut after) = match thread {
        false => run(),
        true => elsewhere(STACK, run)?,
    };
    after.fuel += match &result {
        Ok((_, fuel)) => *fuel,
        Err(error) if error.kind() == ErrorKind::OutOfFuel => FUEL,
        Err(_) => 0,
    };
    (after.depth, after.roomy) = (before.depth, before.roomy);
    SPENT.set(after);
    match result {
        Ok(_) if after.fuel > TOTAL => Err(out_of_fuel()),
        result => result.map(|(value, _)| value),
    }
}

/// Counts what is looked through where a template is compiled: the engine has worked out its constants by then, and
/// `[0] * 99999999` is one.
pub(crate) fn compiling<R>(compile: impl FnOnce() -> R) -> R {
    let before = SPENT.get();
    if before.depth == 0 {
        SPENT.set(Spent { depth: 1, roomy: before.roomy, ..Spent::default() });
    }
    let result = compile();
    if before.depth == 0 {
        SPENT.set(before);
    }
    result
}

/// Runs what may need a large stack. Whoever renders many templates runs all of it so: each of them would have a stack
/// made for itself.
///
/// # Errors
/// That there is no such stack.
pub fn with_room<R: Send>(run: impl FnOnce() -> R + Send) -> Result<R, Error> {
    let before = SPENT.get();
    if before.roomy {
        return Ok(run());
    }
    let (result, after) = elsewhere(ROOM, || {
        SPENT.set(Spent { roomy: true, ..before });
        let result = run();
        (result, SPENT.get())
    })?;
    SPENT.set(Spent { roomy: false, ..after });
    Ok(result)
}

/// Runs it on a stack of its own.
fn elsewhere<R: Send>(stack: usize, run: impl FnOnce() -> R + Send) -> Result<R, Error> {
    let failed = |cause: String| Error::new(ErrorKind::InvalidOperation, cause);
    thread::scope(|scope| {
        let started = thread::Builder::new().stack_size(stack).spawn_scoped(scope, run);
        let started = started.map_err(|error| failed(format!("cannot start a thread: {error}")))?;
        started.join().map_err(|_| failed("a thread ended before its template did".to_owned()))
    })
}
