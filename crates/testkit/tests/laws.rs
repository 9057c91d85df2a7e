//! Every step type obeys the laws, on the machine in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use pq_steps::{AnyStep, Check};
use pq_testkit::laws::{self, Example};

/// What is wrong with any example, all of it.
fn every(of: impl Fn(&Example) -> Result<(), String>) {
    let examples = laws::examples().unwrap();
    let wrong: Vec<String> = examples
        .iter()
        .filter_map(|example| Some(format!("{} ({}): {}", example.kind(), example.about, of(example).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_step_type_has_an_example() {
    let examples = laws::examples().unwrap();
    for (kind, about) in AnyStep::KINDS {
        assert!(examples.iter().any(|example| example.kind() == *kind), "no example of `{kind}` ({about})");
    }
}

#[test]
fn every_step_type_obeys_the_laws() {
    every(|example| {
        if example.only_looks {
            return Ok(());
        }
        let step = example.read()?;
        let (bare, starts) = (laws::machine(), example.machines()?);
        laws::judge(step.converge(), &bare, &starts).map_err(|broken| broken.to_string())
    });
}

#[test]
fn no_step_type_shows_a_secret() {
    every(|example| {
        let (mut step, starts) = (example.read()?, example.machines()?);
        laws::judge_silence(step.converge_mut(), &starts).map_err(|broken| broken.to_string())
    });
}

#[test]
fn what_only_looks_is_in_sync_where_it_holds_and_never_acts() {
    every(|example| {
        if !example.only_looks {
            return Ok(());
        }
        let (step, mut machine) = (example.read()?, laws::machine());
        let before = machine.snapshot();
        assert_eq!(step.converge().check(&machine), Ok(Check::InSync));
        assert!(step.converge().apply(&mut machine).is_err());
        assert_eq!(machine.snapshot(), before);
        Ok(())
    });
}

#[test]
fn a_step_comes_back_from_the_stream_as_it_went() {
    every(|example| {
        let step = example.read()?;
        let serde_json::Value::Object(mut body) = serde_json::to_value(&step).unwrap() else {
            return Err("it is no object".to_owned());
        };
        let kind = body.remove("do").unwrap();
        let again = AnyStep::read(kind.as_str().unwrap(), &body).map_err(|bad| bad.to_string())?;
        if again == step { Ok(()) } else { Err(format!("it came back as {again:?}")) }
    });
}
