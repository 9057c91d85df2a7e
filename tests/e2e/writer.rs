//! One file is replaced, and something goes wrong at each system call of the run in turn: it is killed there, the disk is
//! full, gives back errors, is read-only. The file is the old one or the new one, and the next run ends as if nothing had been.

use std::time::Instant;

use pq_testkit::lab::{self, Machine, Result};
use pq_tests::Matrix;

use crate::world::traced;

const SCRIPT: &str = include_str!("every_syscall.sh");
const PLAN: &str = include_str!("writer.ndjson");

/// The calls at which a disk or the table of open files can fail; others ask for memory, threads and time.
const FAILING: &str = "access|close|fchmod|fchown|fdatasync|flistxattr|flock|fstat|fsync|ftruncate|getdents64|lseek|mkdir\
    |mkdirat|newfstatat|openat|openat2|pread64|read|readlink|rename|renameat|renameat2|statx|unlink|unlinkat|write";

/// What can be drawn beside the kill, which is always tried.
const SAMPLE: usize = 1;

/// Every fault: a kill, and each error once at a call, or from it on.
fn faults() -> Vec<String> {
    let errors = ["ENOSPC", "EIO", "EROFS", "EACCES", "EINTR", "EMFILE"];
    let all = errors.iter().flat_map(|error| ["@", "@+"].map(|when| format!("error={error}:when={when}")));
    // A call that is interrupted is made again, so that one which always is would be made for ever.
    all.filter(|fault| fault != "error=EINTR:when=@+").collect()
}

/// What went wrong with a fault at each call.
fn tried(machine: &Machine, fault: &str, calls: &str) -> Result<std::result::Result<(), String>> {
    let said = machine.run(["bash", "/root/every_syscall.sh", fault, calls])?.success()?.stdout;
    let is_well = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        words.len() == 3 && words[1..].iter().all(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let points = said.lines().filter(|line| !line.starts_with(' ')).count();
    let wrong: Vec<&str> = said.lines().filter(|line| !is_well(line)).collect();
    Ok(match wrong.is_empty() && points > 80 {
        true => Ok(()),
        false => Err(format!("{points} points\n{}", wrong.join("\n"))),
    })
}

#[test]
fn matrix_writer_a_file_is_the_old_or_the_new_one_whatever_fails_at_whichever_call() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("writer");
    let machine = traced(&lab, "writer")?;
    machine.write("/root/every_syscall.sh", SCRIPT)?;
    machine.write("/root/writer.ndjson", PLAN)?;
    let kill = "signal=KILL:when=@".to_owned();
    let drawn = matrix.draw(faults(), SAMPLE);
    for fault in [kill].into_iter().chain(drawn) {
        let begun = Instant::now();
        let calls = if fault.starts_with("signal") { ".*" } else { FAILING };
        let verdict = tried(&machine, &fault, calls)?;
        matrix.note(&fault, verdict, begun.elapsed());
    }
    matrix.finish();
    Ok(())
}
