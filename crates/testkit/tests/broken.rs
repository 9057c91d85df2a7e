//! Steps that are wrong, each in a way of its own: the laws reject every one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use pq_steps::{AbsPath, Check, Command, Converge, Differences, Error, Meta, Probe, System, Text};
use pq_testkit::laws::{self, Law};
use pq_testkit::memory::MemoryMachine;

const WANT: &[u8] = b"want\n";

/// A step made of two functions.
struct Step {
    check: fn(&dyn Probe) -> Result<Check, Error>,
    apply: fn(&mut dyn System) -> Result<(), Error>,
}

impl Converge for Step {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        (self.check)(machine)
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        (self.apply)(machine)
    }
}

fn path(name: &str) -> AbsPath {
    AbsPath::new(format!("/srv/{name}")).unwrap()
}

fn held(machine: &dyn Probe, name: &str) -> Vec<u8> {
    machine.read(&path(name)).unwrap().unwrap_or_default()
}

fn verdict(right: bool) -> Result<Check, Error> {
    Ok(if right { Check::InSync } else { Differences::missing("thing") })
}

fn write(machine: &mut dyn System, name: &str, content: &[u8]) -> Result<(), Error> {
    machine.write(&path(name), content, &Meta::default())
}

/// A right one, from which the wrong ones differ in one thing.
const RIGHT: Step = Step {
    check: |machine| verdict(held(machine, "it") == WANT),
    apply: |machine| write(machine, "it", WANT),
};

fn starts() -> Vec<MemoryMachine> {
    let mut other = laws::machine();
    other.put("/srv/it", "other\n");
    vec![laws::machine(), other]
}

fn law(step: &Step) -> Option<Law> {
    laws::judge(step, &laws::machine(), &starts()).err().map(|broken| broken.law)
}

#[test]
fn a_right_step_passes() {
    assert_eq!(laws::judge(&RIGHT, &laws::machine(), &starts()), Ok(()));
}

#[test]
fn a_check_that_always_says_in_sync_is_rejected() {
    assert_eq!(law(&Step { check: |_| Ok(Check::InSync), ..RIGHT }), Some(Law::Seen));
}

#[test]
fn a_check_that_fails_on_a_bare_machine_is_rejected() {
    let check = |machine: &dyn Probe| match machine.stat(&path("it"))? {
        None => Err(Error::failed("cannot check", "there is nothing")),
        Some(_) => verdict(held(machine, "it") == WANT),
    };
    assert_eq!(law(&Step { check, ..RIGHT }), Some(Law::Bare));
}

#[test]
fn a_check_that_asks_a_program_which_writes_is_rejected() {
    let check = |machine: &dyn Probe| {
        machine.ask(&Command::new(["touch", "/srv/seen"]))?;
        verdict(held(machine, "it") == WANT)
    };
    assert_eq!(law(&Step { check, ..RIGHT }), Some(Law::Bare));
}

#[test]
fn an_apply_that_leaves_a_difference_is_rejected() {
    let apply = |machine: &mut dyn System| write(machine, "it", b"nearly\n");
    assert_eq!(law(&Step { apply, ..RIGHT }), Some(Law::Settled));
}

#[test]
fn an_apply_that_adds_each_time_is_rejected() {
    let step = Step {
        check: |machine| verdict(held(machine, "it").ends_with(WANT)),
        apply: |machine| {
            let content = [held(machine, "it"), WANT.to_vec()].concat();
            write(machine, "it", &content)
        },
    };
    assert_eq!(law(&step), Some(Law::TwiceIsOnce));
}

#[test]
fn an_end_that_depends_on_the_start_is_rejected() {
    let step = Step {
        check: |machine| verdict(held(machine, "it").ends_with(WANT)),
        apply: |machine| {
            let before = held(machine, "it");
            match before.ends_with(WANT) {
                true => Ok(()),
                false => write(machine, "it", &[before, WANT.to_vec()].concat()),
            }
        },
    };
    assert_eq!(law(&step), Some(Law::SameEnd));
}

#[test]
fn a_marker_written_before_what_it_stands_for_is_rejected() {
    let step = Step {
        check: |machine| verdict(held(machine, "marker") == WANT),
        apply: |machine| {
            write(machine, "marker", WANT)?;
            write(machine, "it", WANT)
        },
    };
    assert_eq!(law(&step), Some(Law::Killed));
}

#[test]
fn a_directory_that_gets_its_owner_after_its_name_and_is_not_looked_at_again_is_rejected() {
    let step = Step {
        check: |machine| verdict(machine.stat(&path("made"))?.is_some()),
        apply: |machine| {
            let meta = Meta::new("0700".to_owned().try_into().unwrap(), "www-data", "www-data");
            machine.make_dir(&path("made"), &meta)
        },
    };
    assert_eq!(law(&step), Some(Law::Killed));
}

#[test]
fn an_apply_that_swallows_an_error_is_rejected() {
    let apply = |machine: &mut dyn System| {
        let _ = write(machine, "it", WANT);
        Ok(())
    };
    assert_eq!(law(&Step { apply, ..RIGHT }), Some(Law::Killed));
}

#[test]
fn a_rest_that_nobody_clears_is_rejected() {
    let apply = |machine: &mut dyn System| {
        write(machine, "it", WANT)?;
        write(machine, "scratch", WANT)?;
        machine.remove(&path("scratch"))
    };
    assert_eq!(law(&Step { apply, ..RIGHT }), Some(Law::Killed));
}

#[test]
fn a_difference_that_shows_a_secret_is_rejected() {
    struct Talks(Text);
    impl Converge for Talks {
        fn check(&self, _: &dyn Probe) -> Result<Check, Error> {
            let mut found = Differences::new();
            found.push("content", None, Some(self.0.as_str()));
            Ok(found.into_check())
        }

        fn apply(&self, _: &mut dyn System) -> Result<(), Error> {
            Ok(())
        }

        fn texts(&mut self) -> Vec<&mut Text> {
            vec![&mut self.0]
        }
    }
    let broken = laws::judge_silence(&mut Talks("user=x pass=".into()), &starts()).unwrap_err();
    assert_eq!(broken.law, Law::Silent);
}
