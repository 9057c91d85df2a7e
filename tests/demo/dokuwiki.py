#!/usr/bin/env python3
"""Repack Debian's dokuwiki and its libraries into the archive that upstream publishes

usage: dokuwiki.py DEBS ARCHIVE    DEBS: directory of .deb files, ARCHIVE: the .tar.gz to write

Debian spreads DokuWiki over /usr/share, /etc and /var/lib and takes its libraries from packages of their own.
Here everything comes back under one directory, and every path that Debian patched in points there again. The same
packages give the same bytes. Fails when a path of Debian's is left over. The version is written to standard output.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from repack import pack, resolve, unpack

TIME = 1659225600  # 2022-07-31: every file's, so that archives are the same

# Where things of Debian's packages belong in upstream's tree, those that a release of Debian has; later lines are put over earlier ones.
PLACES = [
    ("usr/share/dokuwiki", "."),
    ("etc/dokuwiki", "conf"),
    ("var/lib/dokuwiki/data", "data"),
    ("var/lib/dokuwiki/lib/plugins", "lib/plugins"),
    ("var/lib/dokuwiki/lib/tpl", "lib/tpl"),
    ("usr/share/php/phpseclib", "vendor/phpseclib/phpseclib/phpseclib"),
    ("usr/share/php/phpseclib3", "vendor/phpseclib/phpseclib3"),
    ("usr/share/php/ParagonIE", "vendor/paragonie/ParagonIE"),
    ("usr/share/php/IXR", "vendor/kissifrot/IXR"),
    ("usr/share/php/simplepie", "vendor/simplepie/simplepie"),
    ("usr/share/php-geshi", "vendor/geshi/geshi/src"),
    ("usr/share/javascript/jquery/jquery.min.js", "lib/scripts/jquery/jquery.min.js"),
    ("usr/share/javascript/jquery-ui/jquery-ui.min.js", "lib/scripts/jquery/jquery-ui.min.js"),
    ("usr/share/javascript/jquery-cookie/jquery.cookie.js", "lib/scripts/jquery/jquery.cookie.js"),
]

# Paths that Debian patched into the code, and what they are in upstream's tree.
PATCHED = {
    "/usr/share/php/phpseclib": "vendor/phpseclib/phpseclib/phpseclib",
    "/usr/share/php/phpseclib3": "vendor/phpseclib/phpseclib3",
    "/usr/share/php/ParagonIE": "vendor/paragonie/ParagonIE",
    "/usr/share/php/IXR": "vendor/kissifrot/IXR",
    "/usr/share/php/simplepie": "vendor/simplepie/simplepie",
    "/usr/share/php-geshi": "vendor/geshi/geshi/src",
    "/usr/share/javascript/jquery-cookie": "lib/scripts/jquery",
    "/usr/share/javascript/jquery-ui/ui/i18n": "lib/scripts/jquery/jquery-ui-i18n",
    "/usr/share/javascript/jquery-ui": "lib/scripts/jquery",
    "/usr/share/javascript/jquery": "lib/scripts/jquery",
}

# Debian's own: its preload moves the configuration to /etc, the others are its administrator's.
DEBIANS = [
    ".htaccess", ".htaccess.dist.md5sum", "inc/preload.php", "conf/htaccess", "conf/acl.auth.php",
    "conf/users.auth.php", "conf/plugins.local.php", "conf/userprint.css", "conf/userstyle.css",
]

DATA = ["attic", "cache", "index", "locks", "log", "media", "media_attic", "media_meta", "meta", "pages", "tmp"]


def main(debs, archive):
    with tempfile.TemporaryDirectory() as scratch:
        unpacked, tree = Path(scratch, "debs"), Path(scratch, "tree")
        unpack(debs, unpacked)
        gather(unpacked, tree)
        for path in tree.rglob("*.php"):
            unpatch(path, tree)
        version = settle(tree, Path(archive).name)
        refuse_leftovers(tree)
        pack(tree, f"dokuwiki-release-{version}", Path(archive), TIME, programs=["bin"])
        print(version)


def gather(unpacked, tree):
    """Put everything where upstream has it, symbolic links resolved."""
    for source, target in PLACES:
        source, target = unpacked / source, tree / target
        if not source.exists():
            continue
        if source.is_dir():
            if target.is_symlink():
                target.unlink()
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.resolve(strict=True), target)
    for name in DEBIANS:
        (tree / name).unlink(missing_ok=True)
    resolve(tree, "dokuwiki.py")


def unpatch(path, tree):
    """Make Debian's absolute paths relative to the file that names them."""
    old = path.read_text(encoding="utf-8", errors="surrogateescape")
    up = "/.." * (len(path.relative_to(tree).parts) - 1)
    new = old
    for absolute, inside in PATCHED.items():
        new = re.sub(rf"(\$vendorDir \. )?'{absolute}(?=[/'])", f"__DIR__ . '{up}/{inside}", new)
    new = new.replace("'/var/lib/dokuwiki/data'", "'./data'")
    if new != old:
        path.write_text(new, encoding="utf-8", errors="surrogateescape")


def settle(tree, archive):
    """The parts of upstream's archive that Debian leaves out or renames; its version: that of the archive's name, else the code's own."""
    version, codename = (tree / "VERSION").read_text().split(maxsplit=1)
    if named := re.match(r"release-(\d{4}-\d\d-\d\d[a-z]?)\.tar\.gz$", archive):
        version = named[1]
    (tree / "VERSION").write_text(f"{version} {codename}")
    for name in DATA:
        (tree / "data" / name).mkdir(parents=True, exist_ok=True)
        (tree / "data" / name / "_dummy").write_text("You can safely delete this file.\n")
    return version


def refuse_leftovers(tree):
    patched = re.compile(r"(?<!:/)/(etc|var/lib|usr/share)/(dokuwiki|php|php-geshi|javascript)\b")
    for path in tree.rglob("*"):
        if path.suffix not in (".php", ".conf", ".inc"):
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if patched.search(line) and not line.lstrip().startswith(("*", "//", "#")):
                raise SystemExit(f"dokuwiki.py: error: `{path.relative_to(tree)}` still says `{line.strip()}`")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
