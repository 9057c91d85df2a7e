//! What a machine has that was just installed.

use super::disk::{Disk, What};

const DIRECTORIES: &[&str] = &[
    "/etc/default",
    "/etc/systemd/system",
    "/etc/ssl/certs",
    "/home",
    "/opt",
    "/proc/self",
    "/run",
    "/srv",
    "/usr/bin",
    "/usr/lib/systemd/system",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/share",
    "/var/cache",
    "/var/lib",
    "/var/log",
];

const LINKS: &[(&str, &str)] =
    &[("/bin", "usr/bin"), ("/sbin", "usr/sbin"), ("/lib", "usr/lib"), ("/usr/bin/python3", "python3.11")];

const PROGRAMS: &[&str] = &[
    "/usr/bin/false",
    "/usr/bin/locale",
    "/usr/bin/openssl",
    "/usr/bin/python3.11",
    "/usr/bin/rm",
    "/usr/bin/sleep",
    "/usr/bin/test",
    "/usr/bin/touch",
    "/usr/bin/true",
    "/usr/sbin/groupadd",
    "/usr/sbin/groupdel",
    "/usr/sbin/userdel",
    "/usr/sbin/useradd",
    "/usr/sbin/usermod",
];

const FILES: &[(&str, &str)] = &[
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\n\
         daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
         www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("/etc/group", "root:x:0:\ndaemon:x:1:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n"),
    ("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n"),
    ("/etc/hostname", "memory\n"),
    ("/proc/sys/net/ipv4/ip_forward", "0\n"),
    ("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n"),
    ("/proc/self/mountinfo", "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"),
];

/// Fills an empty disk.
pub(super) fn furnish(disk: &mut Disk) {
    for path in DIRECTORIES {
        disk.lay_node(path, What::Directory, 0o755);
    }
    disk.lay_node("/root", What::Directory, 0o700);
    disk.lay_node("/tmp", What::Directory, 0o1777);
    disk.lay_node("/var/tmp", What::Directory, 0o1777);
    for (path, target) in LINKS {
        disk.lay_node(path, What::Link((*target).to_owned()), 0o777);
    }
    for path in PROGRAMS {
        disk.lay_node(path, What::File(b"a program\n".to_vec()), 0o755);
    }
    for (path, content) in FILES {
        disk.lay(path, content.as_bytes());
    }
}
