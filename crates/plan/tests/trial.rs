//! The recipes that are built in, planned for hosts that nobody has.

use std::fs;

use pq_plan::{Planner, trial};
use pq_recipes::Catalogue;

#[test]
fn nothing_is_wrong_with_a_recipe_that_is_built_in() {
    // Where nothing is pinned, a version of nobody's is.
    let own = tempfile::tempdir().unwrap();
    let pins = own.path().join("apps/mediawiki");
    fs::create_dir_all(&pins).unwrap();
    let pin =
        format!("\"1.43.5\": {{ url: \"https://example.org/m.tar.gz\", sha256: \"{}\" }}\n", "a".repeat(64));
    fs::write(pins.join("pins.yml"), pin).unwrap();
    let planner = Planner::new(Catalogue::load(Some(own.path())).unwrap());
    for app in planner.catalogue().apps() {
        let errors: Vec<String> = trial(&planner, app).iter().map(ToString::to_string).collect();
        assert_eq!(errors, [""; 0], "{}", app.name);
    }
}
