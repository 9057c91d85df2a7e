//! The page of `pq-monitor page`, in a real browser: light and dark, 360 and 1440 pixels wide, in French and in English. Nothing
//! overflows, nothing is said on the console, nothing is loaded, and axe-core finds nothing.
//!
//! With `PQ_BLESS=1` it takes the pictures of docs/pictures/ too.

#![expect(clippy::unwrap_used, reason = "what the test itself cannot do ends it")]

mod answers;
mod browser;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use browser::{Browser, Result, Tab, View};
use serde_json::Value;

const OVERFLOW: &str = include_str!("overflow.js");
const BARRIERS: &str = include_str!("barriers.js");
const VERDICT: &str =
    "axe.run('.hero').then(it => ({ found: it.violations.map(rule => `${rule.id} of the verdict`) }))";
const LANGUAGES: &str = include_str!("languages.js");

/// The largest that a picture may be, in bytes.
const LARGEST: u64 = 150_000;

const DESK: View = View {
    width: 1440,
    height: 1000,
    density: 1,
    scheme: "light",
    language: "en",
    media: "screen",
    scripts: true,
};
const PHONE: View = View { width: 360, height: 780, ..DESK };

/// The pictures, and how each is taken.
const PICTURES: [(&str, View); 3] = [
    ("page-light.webp", DESK),
    ("page-dark.webp", View { scheme: "dark", language: "fr", ..DESK }),
    ("page-phone.webp", View { density: 2, ..PHONE }),
];

/// Chromium; nothing where there is none, and one may be left out.
fn browser() -> Option<Browser> {
    let program = Browser::program();
    let required = std::env::var("PQ_E2E").is_ok_and(|wish| wish == "require");
    assert!(program.is_some() || !required, "there is no Chromium: `make tools` installs it");
    if program.is_none() {
        eprintln!("skipped: there is no Chromium");
    }
    program.map(|program| Browser::start(program).unwrap())
}

/// The script of axe-core, fetched where it is not there yet.
fn axe() -> Result<String> {
    let wanted = Path::new(env!("CARGO_MANIFEST_DIR")).join("page/requirements.txt");
    let test = std::env::current_exe()?;
    let home = test.ancestors().nth(3).ok_or("this test has no target directory")?.join("axe");
    fs::create_dir_all(&home)?;
    // Tests that run side by side would fetch it twice.
    let gate = fs::File::create(home.join(".lock"))?;
    gate.lock()?;
    if fs::read(home.join("requirements.txt")).ok() != Some(fs::read(&wanted)?) {
        let output = Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--require-hashes",
                "--upgrade",
            ])
            .arg("--target")
            .arg(&home)
            .arg("--requirement")
            .arg(&wanted)
            .output()?;
        if !output.status.success() {
            return Err(format!("axe-core: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        fs::copy(&wanted, home.join("requirements.txt"))?;
    }
    Ok(fs::read_to_string(home.join("axe_playwright_python/axe.min.js"))?)
}

fn texts(found: &Value) -> Vec<String> {
    found.as_array().into_iter().flatten().map(|it| it.as_str().unwrap_or_default().to_owned()).collect()
}

/// All that is wrong with a page that is open, but for what axe-core finds.
fn wrong(tab: &mut Tab<'_>, language: &str) -> Result<Vec<String>> {
    let mut found = texts(&tab.value(OVERFLOW)?);
    found.extend(texts(&tab.value(&format!("{LANGUAGES}('{language}')"))?));
    found.extend(tab.complaints()?);
    Ok(found)
}

/// What axe-core finds. It comes last: what it says on the console is not the page's.
fn barriers(tab: &mut Tab<'_>, axe: &str) -> Result<Vec<String>> {
    tab.value(&format!("{axe}; null"))?;
    let told = tab.value(BARRIERS)?;
    let mut found = texts(&told["found"]);
    for rule in ["color-contrast", "document-title", "label", "heading-order"] {
        if !texts(&told["rules"]).iter().any(|it| it == rule) {
            found.push(format!("axe did not find {rule} well"));
        }
    }
    Ok(found)
}

/// A page of the demo machine, with something done to it.
fn page(world: &world::World, change: impl FnOnce(String) -> String) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("index.html");
    fs::write(&file, change(world.page())).unwrap();
    (dir, file)
}

#[test]
fn the_page_fits_says_nothing_loads_nothing_and_can_be_read_by_everybody() {
    let Some(mut browser) = browser() else { return };
    let axe = axe().unwrap();
    let world = world::World::new();
    let (_dir, file) = page(&world, |html| html);
    let mut all = Vec::new();
    for language in ["en", "fr"] {
        for scheme in ["light", "dark"] {
            for view in [DESK, PHONE] {
                let view = View { scheme, language, ..view };
                let mut tab = browser.open(&file, view).unwrap();
                let mut found = wrong(&mut tab, language).unwrap();
                found.extend(barriers(&mut tab, &axe).unwrap());
                // The colours of each other verdict can be read, too.
                for class in ["ok", "warning", "unknown"] {
                    tab.value(&format!("document.querySelector('.hero').className = 'hero {class}'"))
                        .unwrap();
                    found.extend(texts(&tab.value(VERDICT).unwrap()["found"]));
                }
                all.extend(found.into_iter().map(|it| format!("{scheme}, {}, {language}: {it}", view.width)));
            }
        }
    }
    let print = View { width: 720, media: "print", ..DESK };
    let mut tab = browser.open(&file, print).unwrap();
    all.extend(wrong(&mut tab, "en").unwrap().into_iter().map(|it| format!("on paper: {it}")));
    drop(tab);
    // Names that are as long as names may be do not break it.
    let (_dir, file) = page(&world, |html| html.replace("dav", &"dav".repeat(21)));
    for view in [DESK, PHONE] {
        let mut tab = browser.open(&file, view).unwrap();
        all.extend(
            wrong(&mut tab, "en").unwrap().into_iter().map(|it| format!("long, {}: {it}", view.width)),
        );
    }
    assert!(all.is_empty(), "{} findings:\n{}", all.len(), all.join("\n"));
}

#[test]
fn without_scripts_a_click_chooses_the_language() {
    let Some(mut browser) = browser() else { return };
    let world = world::World::new();
    let (_dir, file) = page(&world, |html| html);
    let mut tab = browser.open(&file, View { scripts: false, language: "fr", ..PHONE }).unwrap();
    let seen = |tab: &mut Tab<'_>| tab.value("document.querySelector('.verdict').innerText").unwrap();
    assert_eq!(seen(&mut tab), "1 thing does not work: dav");
    let place = tab
        .value("(it => [it.x + it.width / 2, it.y + it.height / 2])(document.querySelector('[value=fr]').getBoundingClientRect())")
        .unwrap();
    tab.click(place[0].as_f64().unwrap(), place[1].as_f64().unwrap()).unwrap();
    assert_eq!(seen(&mut tab), "1 point ne fonctionne pas\u{a0}: dav");
}

/// Each of these is seen: a test of a page that finds nothing may have looked at nothing.
#[test]
fn what_is_wrong_with_a_page_is_found() {
    let Some(mut browser) = browser() else { return };
    let axe = axe().unwrap();
    let world = world::World::new();
    let policy = |html: String| {
        let (before, rest) = html.split_once("<meta http-equiv=").unwrap();
        format!("{before}{}", rest.split_once(">\n").unwrap().1)
    };
    let into = |html: String, what: &str| html.replace("</main>", &format!("{what}</main>"));
    type Change<'c> = &'c dyn Fn(String) -> String;
    let changes: [(&str, &str, Change<'_>); 9] = [
        ("a box that is too wide", "the page is 916 wide", &|it| {
            into(it, "<div style='width:900px'>wide</div>")
        }),
        ("text that leaves its box", "holds", &|it| {
            into(it, "<p style='width:3rem;overflow:hidden;white-space:nowrap'>much more than fits</p>")
        }),
        ("pale text", "axe: serious color-contrast", &|it| {
            into(it, "<p style='color:#bbb;background:#fff'>pale</p>")
        }),
        ("a field without a label", "axe: critical label", &|it| into(it, "<input type='text'>")),
        ("a word on the console", "console: \"error\"", &|it| {
            policy(it).replace("<script>", "<script>console.error('no');")
        }),
        ("a script that breaks", "thrown:", &|it| policy(it).replace("<script>", "<script>nothing.there();")),
        ("a picture from elsewhere", "request: https://elsewhere.invalid/a.png", &|it| {
            into(policy(it), "<img alt='' src='https://elsewhere.invalid/a.png'>")
        }),
        ("the same where the page forbids it", "log: \"error\"", &|it| {
            into(it, "<img alt='' src='https://elsewhere.invalid/a.png'>")
        }),
        ("a sentence in one language", "is English alone", &|it| {
            into(it, "<span class='en' lang='en'>alone</span>")
        }),
    ];
    for (what, wanted, change) in changes {
        let (_dir, file) = page(&world, change);
        let mut tab = browser.open(&file, PHONE).unwrap();
        let mut found = wrong(&mut tab, "en").unwrap();
        if wanted.contains("axe:") {
            found.extend(barriers(&mut tab, &axe).unwrap());
        }
        assert!(found.iter().any(|it| it.contains(wanted)), "{what}: {found:?}");
    }
}

#[test]
fn the_pictures_of_the_documentation_are_of_this_page() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures");
    if std::env::var_os("PQ_BLESS").is_some() {
        let mut browser = browser().unwrap();
        let world = world::World::new();
        let (_dir, file) = page(&world, |html| html);
        fs::create_dir_all(&dir).unwrap();
        for (name, view) in PICTURES {
            let mut tab = browser.open(&file, view).unwrap();
            fs::write(dir.join(name), tab.picture().unwrap()).unwrap();
        }
    }
    let documents = ["README.md", "docs/monitor.md"]
        .map(|name| fs::read_to_string(dir.join("../..").join(name)).unwrap());
    for (name, _) in PICTURES {
        let size = fs::metadata(dir.join(name)).unwrap().len();
        assert!((1..LARGEST).contains(&size), "{name} has {size} bytes");
        assert!(
            documents.iter().any(|it| it.contains(&format!("pictures/{name}"))),
            "{name} is shown nowhere"
        );
    }
}
