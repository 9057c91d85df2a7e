//! The page, from a state and a history that are made for the test.

use super::*;
use crate::{Answer, Memory, Places, State};
use std::fs;

fn world() -> (tempfile::TempDir, Setup) {
    let dir = tempfile::tempdir().unwrap();
    let places =
        Places { etc: dir.path().join("etc"), lib: dir.path().join("lib"), run: dir.path().join("run") };
    fs::create_dir_all(places.etc.join("monitor.d")).unwrap();
    fs::create_dir_all(places.monitor()).unwrap();
    let item = "owner: wiki\nchecks:\n- { id: page, about: 'the <wiki> & co', http: { url: 'https://wiki.test/' } }\n- { id: disk, disk: { path: / } }\n";
    fs::write(places.etc.join("monitor.d/wiki.yml"), item).unwrap();
    let setup = Setup::read(&places).unwrap();
    (dir, setup)
}

#[test]
fn the_page_shows_what_is_and_was_and_nothing_on_it_is_code_of_others() {
    const T: i64 = 1_800_000_000;
    let (_dir, setup) = world();
    let dir = setup.places.monitor();
    let (mut history, _) = History::open(&dir).unwrap();
    let asked = ["wiki/page".to_owned(), "wiki/disk".to_owned()];
    let mut state = State { schema: 1, at: T, ..State::default() };
    for step in 0..200 {
        let bad = step > 190;
        let level = if bad { Level::Critical } else { Level::Ok };
        let last = Answer { ms: 20 + step, ..Answer::of(level, "x", "<script>alert(1)</script>") };
        let memory = Memory { level, since: T, asked: T, last, ..Memory::default() };
        state.checks.insert("wiki/page".to_owned(), memory);
        let last = Answer::ok("half full").value(50.0, "%");
        state.checks.insert("wiki/disk".to_owned(), Memory { asked: T, last, ..Memory::default() });
        history.record(&state, &asked, T - (200 - i64::try_from(step).unwrap()) * 900).unwrap();
    }
    state.save(&dir).unwrap();
    let html = page(&setup, T);
    assert!(!html.contains("<script>alert"), "what a check answered is code");
    assert!(html.contains("&lt;script&gt;alert(1)") && html.contains("the &lt;wiki&gt; &amp; co"));
    assert_eq!(html.matches("<svg class=\"bars\"").count(), 2);
    assert_eq!(html.matches("<svg class=\"curve\"").count(), 2);
    assert_eq!(html.matches("<rect").count(), 6, "three days of each, of which something is known");
    assert!(html.contains("one check is not well") && html.contains("une vérification signale"));
    for outside in ["src=", "http://", "@import", "url("] {
        assert!(
            !html.replace("https://wiki.test", "").contains(outside),
            "{outside} is loaded from elsewhere"
        );
    }
    let stale = page(&setup, T + 3_600);
    assert!(stale.contains("nothing was asked for more than ten minutes"));
}
