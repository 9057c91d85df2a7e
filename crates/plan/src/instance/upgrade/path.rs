//! Through which versions an instance goes.

use std::cmp::Ordering;

use pq_recipes::{App, compare, meets};
use pq_stream::Diagnostic;

/// A way from one version to another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Path {
    /// The versions that come one after the other, the last one that of the inventory; none where that is there.
    pub hops: Vec<String>,
    /// The newest pinned one of another major version, to which nothing goes by itself.
    pub beyond: Option<String>,
}

impl Path {
    /// From what is there to what an instance names itself.
    pub fn direct(id: &str, is: &str, wanted: &str) -> Result<Self, Diagnostic> {
        match compare(wanted, is) {
            Ordering::Less => Err(back(id, is, wanted)),
            Ordering::Equal if wanted == is => Ok(Path::default()),
            _ => Ok(Path { hops: vec![wanted.to_owned()], beyond: None }),
        }
    }
}

/// The way of an instance that is at a version, to what the inventory wants: a version or the beginning of one; without it, the newest of the
/// same major version.
pub(super) fn path(app: &App, id: &str, is: &str, wanted: Option<&str>) -> Result<Path, Diagnostic> {
    let upgrade = &app.upgrade;
    let major = upgrade.major_of(is);
    let newest_of =
        |major: &str| app.pins.versions().into_iter().find(|version| upgrade.major_of(version) == major);
    let Some(wanted) = wanted else {
        let newer = |version: &&str| compare(version, is) == Ordering::Greater;
        let hops = newest_of(&major).filter(newer).map(str::to_owned).into_iter().collect();
        let beyond = app.pins.versions().into_iter().next().filter(newer);
        let beyond = beyond.filter(|version| upgrade.major_of(version) != major).map(str::to_owned);
        return Ok(Path { hops, beyond });
    };
    let Some((target, _)) = app.pins.newest(Some(wanted)) else {
        let pinned = app.pins.versions().join(", ");
        let error = Diagnostic::new(format!("`{id}` cannot go from {is} to {wanted}"));
        return Err(error
            .cause(format!("no version `{wanted}` of `{}` is pinned; pinned are {pinned}", app.name))
            .hint(pin_it(app)));
    };
    match compare(target, is) {
        // It is what is wanted, and newer than what is pinned of it.
        Ordering::Less if target != wanted && meets(is, wanted) => return Ok(Path::default()),
        Ordering::Less => return Err(back(id, is, target)),
        _ if target == is => return Ok(Path::default()),
        _ => {}
    }
    let mut hops: Vec<String> = Vec::new();
    if upgrade.one_by_one && upgrade.major_of(target) != major {
        let number = |major: &str| major.parse::<u64>().unwrap_or_default();
        let (first, last) = (number(&major), number(&upgrade.major_of(target)));
        if let Some(point) = newest_of(&major).filter(|it| compare(it, is) == Ordering::Greater) {
            hops.push(point.to_owned());
        }
        for between in first + 1..last {
            let Some(version) = newest_of(&between.to_string()) else {
                let error = Diagnostic::new(format!("`{id}` cannot go from {is} to {target}"));
                return Err(error
                    .cause(format!(
                        "`{}` goes one major version at a time, and none of {between} is pinned",
                        app.name
                    ))
                    .hint(pin_it(app)));
            };
            hops.push(version.to_owned());
        }
    }
    hops.push(target.to_owned());
    Ok(Path { hops, beyond: None })
}

fn pin_it(app: &App) -> String {
    format!("add it with its digest to recipes/apps/{}/pins.yml of the inventory", app.name)
}

/// A version does not go back.
fn back(id: &str, is: &str, wanted: &str) -> Diagnostic {
    Diagnostic::new(format!("`{id}` does not go back from {is} to {wanted}"))
        .cause("its data may be of the newer version, which the older one cannot read")
        .hint(format!("`pq-backup list {id}` says what there is of it, and `pq-backup restore {id} --at TIME --in-place` brings its data back; then the inventory's `version` may be older"))
        .hint(format!("`version: \"{is}\"` in the inventory leaves it as it is"))
}

#[cfg(test)]
mod tests {
    use pq_recipes::{Pins, Source, Upgrade};

    use super::*;

    fn app(versions: &[&str], upgrade: Upgrade) -> App {
        let text = "app: a\nabout: a\nweb: { kind: static }\n".to_owned();
        let pin =
            |v: &&str| format!("\"{v}\": {{ url: \"https://a.org/{v}\", sha256: \"{}\" }}\n", "a".repeat(64));
        let mut pins = Pins::default();
        let source = |text: String| Source { shown: "a.yml".to_owned(), text };
        pins.add(&source(versions.iter().map(pin).collect())).unwrap();
        let mut app = App::read("a", &source(text), pins).unwrap();
        app.upgrade = upgrade;
        app
    }

    #[test]
    fn a_major_version_is_never_gone_to_unasked_and_none_is_left_out() {
        let cloud = app(
            &["30.0.2", "30.0.16", "31.0.1", "31.0.13", "32.0.1", "32.0.7", "34.0.1"],
            Upgrade { major: 1, one_by_one: true, ..Upgrade::default() },
        );
        let hops = |is, wanted| path(&cloud, "cloud", is, wanted).map(|path| path.hops);
        assert_eq!(hops("30.0.2", None).unwrap(), ["30.0.16"]);
        assert_eq!(path(&cloud, "cloud", "32.0.7", None).unwrap().beyond.as_deref(), Some("34.0.1"));
        assert_eq!(hops("30.0.2", Some("32")).unwrap(), ["30.0.16", "31.0.13", "32.0.7"]);
        assert_eq!(hops("30.0.16", Some("31")).unwrap(), ["31.0.13"]);
        assert_eq!(hops("32.0.7", Some("32")).unwrap(), [""; 0]);
        assert_eq!(hops("32.0.9", Some("32")).unwrap(), [""; 0]);
        assert!(hops("32.0.9", Some("32.0.7")).is_err());
        let missing = hops("32.0.1", Some("34")).unwrap_err();
        assert!(missing.to_string().contains("none of 33 is pinned"), "{missing}");
        let back = hops("32.0.1", Some("31")).unwrap_err();
        assert!(back.hints[0].contains("pq-backup restore cloud --at TIME --in-place"), "{back}");
        assert!(hops("32.0.1", Some("35")).unwrap_err().to_string().contains("no version `35`"));
    }

    #[test]
    fn an_application_without_major_versions_goes_to_its_newest() {
        let wiki = app(&["2022-07-31a", "2024-02-06b"], Upgrade { major: 0, ..Upgrade::default() });
        assert_eq!(path(&wiki, "wiki", "2022-07-31a", None).unwrap().hops, ["2024-02-06b"]);
        // what is newer than all that is pinned stays
        assert_eq!(path(&wiki, "wiki", "2025-05-14", None).unwrap(), Path::default());
        assert_eq!(Path::direct("shop", "1.2", "1.3").unwrap().hops, ["1.3"]);
        assert!(Path::direct("shop", "1.3", "1.2").is_err());
    }
}
