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
    assert_eq!(html.matches("<svg class=\"bars\"").count(), 1, "nothing is known of the monitor itself");
    assert_eq!(html.matches("<svg class=\"curve\"").count(), 2);
    assert!(
        html.contains("1 thing does not work: wiki")
            && html.contains("1 point ne fonctionne pas\u{a0}: wiki")
    );
    for outside in ["src=", "http://", "@import", "url("] {
        assert!(!html.contains(outside), "{outside} is loaded from elsewhere");
    }
    let stale = page(&setup, T + 3_600);
    assert!(stale.contains("Nothing was asked for more than ten minutes"));
}

#[test]
fn the_script_is_the_one_that_the_page_allows() {
    let (_dir, setup) = world();
    let html = page(&setup, 1_800_000_000);
    let script = html.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    let allowed = html.split_once("script-src 'sha256-").unwrap().1.split_once('\'').unwrap().0;
    assert_eq!(STANDARD.encode(Sha256::digest(script)), allowed);
    assert!(html.contains("There was no run yet"));
}

#[test]
fn what_is_explained_by_something_else_is_not_counted_beside_it() {
    const T: i64 = 1_800_000_000;
    let (_dir, setup) = world();
    let mut state = State { schema: 1, at: T, ..State::default() };
    let bad = |because: Option<&str>| Memory {
        level: Level::Critical,
        asked: T,
        last: Answer::critical("x", "down"),
        because: because.map(str::to_owned),
        ..Memory::default()
    };
    state.checks.insert("wiki/disk".to_owned(), bad(None));
    state.checks.insert("wiki/page".to_owned(), bad(Some("wiki/disk")));
    state.save(&setup.places.monitor()).unwrap();
    let html = page(&setup, T);
    assert!(html.contains("1 thing does not work: wiki") && html.contains("Fails with it:"));
    assert!(html.contains("2 critical"));
    // Without a history there is nothing that was.
    assert!(!html.contains("<svg class=\"bars\"") && !html.contains("id=\"incidents\""));
}

#[test]
fn text_between_backticks_is_code_and_one_alone_is_a_character() {
    assert_eq!(words::phrase("`<a>` b `c"), "<span class=\"own\"><code>&lt;a&gt;</code> b `c</span>");
    assert_eq!(both("a `b`", "a `b`"), "a <code>b</code>");
}
