//! Inventories that are drawn by chance, read by both.
//!
//! Each has a seed of its own. `make test` draws some; `make matrix M=conformance` reads those of the seeds 1 to 2,000.
//! `PQ_POINT=seed` reads that one alone; an inventory that differs stays below the target directory's `tmp`.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use pq_tests::Matrix;

use crate::compare::{Ours, differences};
use crate::draw;
use crate::real::Real;

const SAMPLE: usize = 60;
const WHOLE: u64 = 2_000;
/// So many are asked for at a time: a whole run that was stopped goes on behind the last of them.
const CHUNK: usize = 50;

fn points(matrix: &mut Matrix) -> Vec<String> {
    if let Ok(point) = std::env::var("PQ_POINT") {
        return vec![point];
    }
    match matrix.whole() {
        true => matrix.draw((1..=WHOLE).map(|seed| seed.to_string()), 0),
        false => (0..SAMPLE).map(|_| matrix.below(1 << 30).to_string()).collect(),
    }
}

#[test]
fn matrix_conformance() {
    let Some(real) = Real::find() else { return };
    let tools = pq_tests::tools();
    let mut matrix = Matrix::open("conformance");
    let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    for chunk in points(&mut matrix).chunks(CHUNK) {
        let begin = Instant::now();
        let directories: Vec<PathBuf> = chunk.iter().map(|point| kept.join(point)).collect();
        for (point, directory) in chunk.iter().zip(&directories) {
            let _ = fs::remove_dir_all(directory);
            draw::write(point.parse().unwrap(), directory);
        }
        let answers = real.ask(&directories);
        for ((point, directory), said) in chunk.iter().zip(&directories).zip(answers) {
            let found = differences(&said, &Ours::read(&tools, directory));
            let lines: Vec<String> =
                found.iter().map(|(place, what)| format!("    {place}: {what}")).collect();
            let verdict = match lines.is_empty() {
                true => fs::remove_dir_all(directory).map_err(|error| error.to_string()),
                false => Err(format!("PQ_POINT={point}, {}\n{}", directory.display(), lines.join("\n"))),
            };
            matrix.note(point, verdict, begin.elapsed() / u32::try_from(chunk.len()).unwrap());
        }
    }
    matrix.finish();
}
