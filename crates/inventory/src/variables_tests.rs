//! What stands where a file of variables should be, and how it is refused.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;

fn inventory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("host_vars/many")).unwrap();
    directory
}

/// The causes of the refusal, and whether it names the file.
fn refused(directory: &Path, host: &str, file: &str) -> String {
    let error = Loader::new(directory, KeyFiles::default()).given("host_vars", host).unwrap_err();
    assert!(error.message.contains(&format!("`{}`", directory.join(file).display())), "{error}");
    error.causes.join(": ")
}

#[test]
fn a_link_that_leads_nowhere_is_no_missing_file() {
    let inventory = inventory();
    let at = |name: &str| inventory.path().join("host_vars").join(name);
    symlink("gone.yml", at("a.yml")).unwrap();
    symlink("b.yml", at("b.yml")).unwrap();
    symlink("gone.yml", at("c.yml.age")).unwrap();
    symlink("gone.yml", at("many/x.yml")).unwrap();
    let nothing = "it is a symbolic link to nothing";
    assert_eq!(refused(inventory.path(), "a", "host_vars/a.yml"), nothing);
    assert!(refused(inventory.path(), "b", "host_vars/b.yml").contains("symbolic link"));
    assert_eq!(refused(inventory.path(), "c", "host_vars/c.yml.age"), nothing);
    assert_eq!(refused(inventory.path(), "many", "host_vars/many/x.yml"), nothing);
    assert!(
        Loader::new(inventory.path(), KeyFiles::default()).given("host_vars", "other").unwrap().is_empty()
    );
}

#[test]
fn only_regular_files_are_read_also_through_links() {
    let inventory = inventory();
    let at = |name: &str| inventory.path().join("host_vars").join(name);
    let _listener = UnixListener::bind(at("a.yml")).unwrap();
    symlink("/dev/null", at("b.yml")).unwrap();
    symlink("/dev/null", at("many/x.yml")).unwrap();
    fs::write(at("real"), "x: 1\n").unwrap();
    symlink("real", at("d.yml")).unwrap();
    assert_eq!(refused(inventory.path(), "a", "host_vars/a.yml"), "it is a socket, not a file");
    assert_eq!(refused(inventory.path(), "b", "host_vars/b.yml"), "it is a device, not a file");
    assert_eq!(refused(inventory.path(), "many", "host_vars/many/x.yml"), "it is a device, not a file");
    assert_eq!(Loader::new(inventory.path(), KeyFiles::default()).given("host_vars", "d").unwrap().len(), 1);
}
