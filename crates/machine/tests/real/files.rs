//! Files, directories, links: whole or not there, and no link is followed that others could have planted.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use pq_steps::{AbsPath, Error, Kind, Meta, Mode, Probe, System};

use crate::{World, mode, root, told};

#[test]
fn a_written_file_has_its_content_and_mode_and_leaves_nothing_beside_it() {
    let mut world = World::new();
    let path = world.at("conf");
    world.machine.write(&path, b"one", &mode(0o640)).unwrap();
    let first = fs::metadata(world.real("conf")).unwrap().ino();
    world.machine.write(&path, b"two", &mode(0o600)).unwrap();
    assert_eq!(world.tree("."), ["conf 0600"]);
    assert_eq!(world.text("conf"), "two");
    let stat = world.machine.stat(&path).unwrap().unwrap();
    assert_eq!((stat.kind, stat.mode, stat.size), (Kind::File, Mode::from_bits(0o600), 3));
    assert_ne!(
        fs::metadata(world.real("conf")).unwrap().ino(),
        first,
        "the file was replaced, not rewritten"
    );
}

#[test]
fn what_people_set_on_a_file_survives_its_replacement() {
    let mut world = World::new();
    let path = world.at("conf");
    world.machine.write(&path, b"one", &mode(0o644)).unwrap();
    let real = world.real("conf");
    if let Err(errno) = rustix::fs::setxattr(&real, "user.note", b"mine", rustix::fs::XattrFlags::empty()) {
        return eprintln!("not tested: no attributes on this file system: {errno}");
    }
    world.machine.write(&path, b"two", &mode(0o640)).unwrap();
    let mut value = [0; 16];
    let length = rustix::fs::getxattr(&real, "user.note", &mut value).unwrap();
    assert_eq!((&value[..length], world.text("conf").as_str()), (&b"mine"[..], "two"));
    assert_eq!(world.tree("."), ["conf 0640"]);
}

#[test]
fn a_file_that_is_as_wanted_is_not_touched() {
    let mut world = World::new();
    let path = world.at("conf");
    world.machine.write(&path, b"same", &mode(0o644)).unwrap();
    let before = fs::metadata(world.real("conf")).unwrap();
    world.machine.write(&path, b"same", &mode(0o644)).unwrap();
    let after = fs::metadata(world.real("conf")).unwrap();
    assert_eq!((before.ino(), before.ctime_nsec()), (after.ino(), after.ctime_nsec()));
}

#[test]
fn what_a_killed_run_left_is_replaced() {
    let mut world = World::new();
    fs::write(world.real(".conf.pq-tmp"), "half").unwrap();
    world.machine.write(&world.at("conf"), b"whole", &Meta::default()).unwrap();
    assert_eq!(world.tree("."), ["conf 0644"]);
    symlink("nowhere", world.real(".link.pq-tmp")).unwrap();
    world.machine.symlink("there", &world.at("link")).unwrap();
    assert_eq!(world.tree("."), ["conf 0644", "link -> there"]);
}

#[test]
fn a_link_at_the_target_is_not_written_through() {
    let mut world = World::new();
    fs::write(world.real("secret"), "theirs").unwrap();
    symlink("secret", world.real("conf")).unwrap();
    let error = world.machine.write(&world.at("conf"), b"ours", &mode(0o644)).unwrap_err();
    assert!(told(error).contains("symbolic link"));
    let error = world.machine.set_meta(&world.at("conf"), &mode(0o666)).unwrap_err();
    assert!(told(error).contains("symbolic link"));
    assert_eq!(world.text("secret"), "theirs");
    assert_eq!(fs::metadata(world.real("secret")).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(world.tree(".").len(), 2);
}

#[test]
fn a_link_on_the_way_is_refused_where_others_can_plant_one() {
    // Temporary directories are in one that everybody can write to.
    let mut world = World::new();
    fs::create_dir(world.real("real")).unwrap();
    fs::write(world.real("real/kept"), "kept").unwrap();
    symlink("real", world.real("way")).unwrap();
    let refused = [
        world.machine.write(&world.at("way/new"), b"x", &mode(0o644)),
        world.machine.make_dir(&world.at("way/dir"), &mode(0o755)),
        world.machine.symlink("x", &world.at("way/link")),
        world.machine.remove(&world.at("way/kept")),
        world.machine.rename(&world.at("way/kept"), &world.at("stolen")),
    ];
    for result in refused {
        let said = told(result.unwrap_err());
        assert!(said.contains("`way` on the way is a symbolic link"), "{said}");
    }
    assert_eq!(world.tree("real"), ["kept 0644"]);
}

#[test]
fn a_link_on_the_way_is_followed_where_only_root_can_put_one() {
    // `/var/run` is a link of Debian's own.
    let Ok(target) = fs::read_link("/var/run") else { return };
    assert!(target.ends_with("run"));
    let path = AbsPath::new("/var/run/paquerette-test-that-is-not-there").unwrap();
    World::new().machine.remove(&path).unwrap();
}

#[test]
fn something_else_in_the_way_is_refused_and_stays() {
    let mut world = World::new();
    fs::create_dir(world.real("directory")).unwrap();
    fs::write(world.real("file"), "").unwrap();
    let said = told(world.machine.write(&world.at("directory"), b"", &mode(0o644)).unwrap_err());
    assert!(said.contains("a directory stands there"), "{said}");
    let said = told(world.machine.make_dir(&world.at("file"), &mode(0o755)).unwrap_err());
    assert!(said.contains("no directory"), "{said}");
    let said = told(world.machine.symlink("x", &world.at("file")).unwrap_err());
    assert!(said.contains("no symbolic link"), "{said}");
    assert_eq!(world.tree("."), ["directory/ 0755", "file 0644"]);
}

#[test]
fn a_missing_directory_is_absent_and_a_missing_owner_too() {
    let mut world = World::new();
    let error = world.machine.write(&world.at("no/file"), b"", &mode(0o644)).unwrap_err();
    assert_eq!(error, Error::absent("directory", world.at("no").as_str()));
    let nobody = Meta::new(Mode::from_bits(0o644), "no-such-user", "root");
    let error = world.machine.write(&world.at("file"), b"", &nobody).unwrap_err();
    assert_eq!(error, Error::absent("user", "no-such-user"));
    assert!(world.tree(".").is_empty());
}

#[test]
fn missing_parents_are_made_and_only_the_last_gets_the_mode() {
    let mut world = World::new();
    world.machine.make_dir(&world.at("a/b/c"), &mode(0o2750)).unwrap();
    assert_eq!(world.tree("."), ["a/ 0755", "a/b/ 0755", "a/b/c/ 2750"]);
    world.machine.make_dir(&world.at("a/b/c"), &mode(0o700)).unwrap();
    assert_eq!(world.tree("a/b"), ["c/ 0700"]);
}

#[test]
fn a_tree_is_removed_without_following_its_links() {
    let mut world = World::new();
    fs::create_dir_all(world.real("tree/deep/er")).unwrap();
    fs::create_dir(world.real("outside")).unwrap();
    fs::write(world.real("outside/kept"), "").unwrap();
    symlink(world.real("outside"), world.real("tree/deep/link")).unwrap();
    fs::write(world.real("tree/deep/er/file"), "").unwrap();
    world.machine.remove(&world.at("tree")).unwrap();
    world.machine.remove(&world.at("tree")).unwrap();
    assert_eq!(world.tree("."), ["outside/ 0755", "outside/kept 0644"]);
    assert!(
        told(world.machine.remove(&AbsPath::new("/").unwrap()).unwrap_err())
            .contains("root of the file system")
    );
}

#[test]
fn a_file_system_that_is_mounted_inside_stops_a_removal() {
    let mut world = World::new();
    fs::create_dir_all(world.real("tree/mnt")).unwrap();
    let none: Option<&str> = None;
    let path = world.real("tree/mnt");
    if let Err(errno) =
        nix::mount::mount(Some("tmpfs"), &path, Some("tmpfs"), nix::mount::MsFlags::empty(), none)
    {
        return eprintln!("not tested: cannot mount a tmpfs here: {errno}");
    }
    fs::write(path.join("data"), "precious").unwrap();
    let result = world.machine.remove(&world.at("tree"));
    let data = fs::read_to_string(path.join("data"));
    nix::mount::umount(&path).unwrap();
    assert!(told(result.unwrap_err()).contains("a file system is mounted there"));
    assert_eq!(data.unwrap(), "precious");
}

#[test]
fn what_is_not_there_is_none_and_what_cannot_be_read_is_an_error() {
    let world = World::new();
    fs::write(world.real("file"), "abc").unwrap();
    for name in ["none", "none/below", "file/below"] {
        let path = world.at(name);
        assert_eq!(world.machine.stat(&path).unwrap(), None, "{name}");
        assert_eq!(world.machine.read(&path).unwrap(), None, "{name}");
        assert_eq!(world.machine.sha256(&path).unwrap(), None, "{name}");
        assert_eq!(world.machine.read_link(&path).unwrap(), None, "{name}");
    }
    assert_eq!(world.machine.list(&world.at("none")).unwrap(), None);
    assert!(world.machine.list(&world.at("file")).is_err());
    assert!(told(world.machine.read(&AbsPath::new("/tmp").unwrap()).unwrap_err()).contains("directory"));
}

#[test]
fn a_pipe_is_not_waited_for() {
    let world = World::new();
    nix::unistd::mkfifo(&world.real("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(told(world.machine.read(&world.at("pipe")).unwrap_err()).contains("special file"));
    assert_eq!(world.machine.stat(&world.at("pipe")).unwrap().unwrap().kind, Kind::Other);
}

#[test]
fn a_file_is_read_and_digested_and_a_link_is_itself() {
    let world = World::new();
    fs::write(world.real("file"), "abc").unwrap();
    symlink("file", world.real("link")).unwrap();
    let (file, link) = (world.at("file"), world.at("link"));
    assert_eq!(world.machine.read(&file).unwrap().unwrap(), b"abc");
    assert_eq!(
        world.machine.sha256(&file).unwrap().unwrap(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(world.machine.read_link(&link).unwrap().unwrap(), "file");
    assert_eq!(world.machine.stat(&link).unwrap().unwrap().kind, Kind::Symlink);
    assert_eq!(
        world
            .machine
            .list(&AbsPath::new(world.directory.path().to_str().unwrap()).unwrap())
            .unwrap()
            .unwrap(),
        ["file", "link"]
    );
}

#[test]
fn a_full_disk_leaves_the_old_file_whole() {
    let mut world = World::new();
    let path = world.real("small");
    fs::create_dir(&path).unwrap();
    let mounted = nix::mount::mount(
        Some("tmpfs"),
        &path,
        Some("tmpfs"),
        nix::mount::MsFlags::empty(),
        Some("size=64k"),
    );
    if let Err(errno) = mounted {
        return eprintln!("not tested: cannot mount a tmpfs here: {errno}");
    }
    world.machine.write(&world.at("small/conf"), b"old", &mode(0o644)).unwrap();
    let result = world.machine.write(&world.at("small/conf"), &vec![b'x'; 1 << 20], &mode(0o644));
    let (left, tree) = (fs::read_to_string(path.join("conf")), world.tree("small"));
    nix::mount::umount(&path).unwrap();
    let said = told(result.unwrap_err());
    assert!(said.contains("no space left") && said.contains("df -h"), "{said}");
    assert_eq!((left.unwrap().as_str(), tree), ("old", vec!["conf 0644".to_owned()]));
}

#[test]
fn an_owner_is_given_before_the_file_gets_its_name() {
    if !root() {
        return eprintln!("not tested: only root can give files away");
    }
    let mut world = World::new();
    let path = world.at("file");
    world.machine.write(&path, b"x", &Meta::new(Mode::from_bits(0o4750), "nobody", "nogroup")).unwrap();
    let stat = world.machine.stat(&path).unwrap().unwrap();
    assert_eq!((stat.owner.as_str(), stat.group.as_str(), stat.mode.bits()), ("nobody", "nogroup", 0o4750));
    world.machine.write(&path, b"y", &Meta::default()).unwrap();
    let stat = world.machine.stat(&path).unwrap().unwrap();
    assert_eq!((stat.owner.as_str(), stat.mode.bits()), ("nobody", 0o4750), "what is not given stays");
    world.machine.set_meta(&path, &Meta::new(Mode::from_bits(0o4711), "root", "root")).unwrap();
    assert_eq!(world.machine.stat(&path).unwrap().unwrap().mode.bits(), 0o4711);
}

#[test]
fn a_rename_takes_the_place_of_a_file_and_not_of_a_full_directory() {
    let mut world = World::new();
    fs::write(world.real("a"), "a").unwrap();
    fs::write(world.real("b"), "b").unwrap();
    world.machine.rename(&world.at("a"), &world.at("b")).unwrap();
    assert_eq!(world.text("b"), "a");
    fs::create_dir_all(world.real("full/x")).unwrap();
    fs::create_dir(world.real("new")).unwrap();
    assert!(
        told(world.machine.rename(&world.at("new"), &world.at("full")).unwrap_err()).contains("not empty")
    );
    let error = world.machine.rename(&world.at("gone"), &world.at("c")).unwrap_err();
    assert_eq!(error, Error::absent("file", world.at("gone").as_str()));
}

#[test]
fn a_file_for_fewer_people_does_not_keep_the_access_list_of_the_old_one() {
    let mut world = World::new();
    let real = world.real("secret");
    // Version 2; then tag, rights, number: owner rw, user 65534 r, group r, mask r, others r.
    let entries: [(u16, u16, u32); 5] =
        [(1, 6, u32::MAX), (2, 4, 65534), (4, 4, u32::MAX), (16, 4, u32::MAX), (32, 4, u32::MAX)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, number) in entries {
        list.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        list.extend(number.to_le_bytes());
    }
    let name = "system.posix_acl_access";
    let there = |real: &std::path::Path| {
        let mut value = [0_u8; 256];
        rustix::fs::getxattr(real, name, &mut value[..]).is_ok()
    };
    fs::write(&real, "old").unwrap();
    match rustix::fs::setxattr(&real, name, &list, rustix::fs::XattrFlags::empty()) {
        Err(rustix::io::Errno::OPNOTSUPP) => return, // this file system knows no access lists
        set => set.unwrap(),
    }
    let mode = |bits| Meta { mode: Some(Mode::from_bits(bits)), ownership: None };
    world.machine.write(&world.at("secret"), b"open", &mode(0o644)).unwrap();
    assert!(there(&real), "a file for as many people keeps it");
    world.machine.write(&world.at("secret"), b"secret", &mode(0o600)).unwrap();
    assert!(!there(&real));
}

#[test]
fn a_link_that_somebody_else_could_have_planted_is_not_read_through() {
    let world = World::new();
    fs::write(world.real("shadow"), "root:x").unwrap();
    fs::create_dir(world.real("theirs")).unwrap();
    fs::set_permissions(world.real("theirs"), fs::Permissions::from_mode(0o777)).unwrap();
    symlink(world.real("shadow"), world.real("theirs/page")).unwrap();
    let page = world.at("theirs/page");
    for error in [world.machine.read(&page).unwrap_err(), world.machine.sha256(&page).unwrap_err()] {
        assert!(error.to_string().contains("not only root can write to"), "{error}");
    }
    // What root linked is read, through as many links as there are.
    let version = AbsPath::new("/etc/os-release").unwrap();
    assert_eq!(world.machine.read(&version).unwrap().unwrap(), fs::read("/etc/os-release").unwrap());
    assert_eq!(world.machine.read(&AbsPath::new("/proc/self/none").unwrap()), Ok(None));
    assert!(world.machine.read(&AbsPath::new("/proc/self/mountinfo").unwrap()).unwrap().is_some());
}
