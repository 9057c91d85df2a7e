//! A matrix: many points of one kind. `make test` tries a sample, drawn by a printed seed (`PQ_SEED` sets it);
//! `make matrix M=name` tries all, goes on where it was stopped, and writes `docs/results/<name>.json`.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Chance, wish};

/// One matrix, as this run tries it.
#[derive(Debug)]
pub struct Matrix {
    name: &'static str,
    whole: bool,
    chance: Chance,
    commit: String,
    points: BTreeMap<String, Value>,
    failed: Vec<String>,
}

impl Matrix {
    /// The matrix of that name, with what an earlier whole run of this very commit has found.
    pub fn open(name: &'static str) -> Self {
        let (whole, seed) = wish();
        eprintln!("{name}: {}", if whole { "whole".to_owned() } else { format!("PQ_SEED={seed}") });
        let mut matrix = Matrix {
            name,
            whole,
            chance: Chance::new(seed),
            commit: commit(),
            points: BTreeMap::new(),
            failed: Vec::new(),
        };
        let earlier =
            fs::read_to_string(matrix.path()).ok().and_then(|text| serde_json::from_str(&text).ok());
        if let Some(earlier) = earlier.filter(|it: &Value| whole && it["commit"] == matrix.commit) {
            let passed = earlier["points"]
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(_, it)| it["verdict"] == "passed");
            matrix.points = passed.map(|(point, it)| (point.clone(), it.clone())).collect();
        }
        matrix
    }

    /// Whether all points are to be tried.
    pub fn whole(&self) -> bool {
        self.whole
    }

    /// Those of some points that this run is to try: all that did not pass yet, or `sample` of them by chance.
    pub fn draw(&mut self, points: impl IntoIterator<Item = String>, sample: usize) -> Vec<String> {
        let mut points: Vec<String> =
            points.into_iter().filter(|point| !self.points.contains_key(point)).collect();
        while !self.whole && points.len() > sample {
            let n = self.below(points.len());
            points.remove(n);
        }
        points
    }

    /// A number below `end`, by chance.
    pub fn below(&mut self, end: usize) -> usize {
        self.chance.below(end)
    }

    /// Notes what became of a point; a whole run's file has it at once.
    pub fn note(&mut self, point: &str, verdict: Result<(), String>, time: Duration) {
        let seconds = time.as_millis() as f64 / 1000.0;
        let entry = match &verdict {
            Ok(()) => json!({ "verdict": "passed", "seconds": seconds }),
            Err(cause) => json!({ "verdict": "failed", "seconds": seconds, "cause": cause }),
        };
        self.points.insert(point.to_owned(), entry);
        if let Err(cause) = verdict {
            self.failed.push(format!("{point}: {cause}"));
        }
        self.write();
    }

    /// Tries points, so many at a time, and notes what became of each; one that failed, also by an assertion, keeps no other from
    /// being tried.
    pub fn each(
        &mut self,
        points: Vec<String>,
        lanes: usize,
        attempt: impl Fn(&str) -> Result<(), String> + Sync,
    ) {
        let (waiting, noted) = (Mutex::new(points.into_iter()), Mutex::new(self));
        let next = || held(&waiting).next();
        let lane = || {
            while let Some(point) = next() {
                let begun = Instant::now();
                let verdict = catch_unwind(AssertUnwindSafe(|| attempt(&point)));
                let verdict = verdict.unwrap_or_else(|panic| Err(said(panic.as_ref())));
                held(&noted).note(&point, verdict, begun.elapsed());
            }
        };
        thread::scope(|scope| {
            for _ in 0..lanes {
                scope.spawn(lane);
            }
        });
    }

    /// Ends the matrix.
    ///
    /// # Panics
    /// Where a point failed, or none was tried.
    pub fn finish(self) {
        assert!(!self.points.is_empty(), "{}: no point was tried", self.name);
        let (failed, tried) = (self.failed.len(), self.points.len());
        assert!(failed == 0, "{}: {failed} of {tried} points failed:\n{}", self.name, self.failed.join("\n"));
        eprintln!("{}: {tried} points passed", self.name);
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/results"))
            .join(format!("{}.json", self.name))
    }

    #[expect(clippy::expect_used, reason = "a result that cannot be kept ends the matrix")]
    fn write(&self) {
        if !self.whole {
            return;
        }
        let passed = self.points.values().filter(|it| it["verdict"] == "passed").count();
        let failed = self.points.len() - passed;
        let results = json!({
            "matrix": self.name, "commit": self.commit, "passed": passed, "failed": failed,
            "points": self.points,
        });
        let text = serde_json::to_string_pretty(&results).expect("results are JSON");
        let path = self.path();
        fs::create_dir_all(path.with_file_name("")).expect("docs/results can be made");
        fs::write(&path, text + "\n").expect("docs/results can be written");
    }
}

fn held<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}

/// The commit that is tried, with `+` where the tree differs from it (its results aside).
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output();
        output.map_or_else(
            |_| String::new(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let changed = !git(&["status", "--porcelain", "--", "..", ":!../docs/results"]).is_empty();
    git(&["rev-parse", "--short=12", "HEAD"]) + if changed { "+" } else { "" }
}
