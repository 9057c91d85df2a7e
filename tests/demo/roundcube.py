#!/usr/bin/env python3
"""Repack Debian's roundcube and its libraries into the archive that upstream publishes

usage: roundcube.py DEBS ARCHIVE    DEBS: directory of .deb files, ARCHIVE: the .tar.gz to write

Debian takes libraries from packages of their own, moves settings to /etc, and has the code look into /var/lib. Here all of
it is back under one directory, with the few lines that find libraries in the place of composer's. The version that the
code says of itself is written to standard output.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from repack import pack, resolve, unpack

TIME = 1765843200  # every file's, so that archives are the same

# Where the code is, as Debian has it, and as upstream has it, by the depth of the file below the top.
DEBIANS = "define('INSTALL_PATH', '/var/lib/roundcube/');"
UPSTREAMS = {
    "program/include/iniset.php": "define('INSTALL_PATH', dirname($_SERVER['SCRIPT_FILENAME']) . '/');",
    "installer/index.php": "define('INSTALL_PATH', realpath(__DIR__ . '/..') . '/');",
    "bin": "define('INSTALL_PATH', realpath(__DIR__ . '/..') . '/');",
}

# Stands for composer's: libraries of PEAR by the include path, the others by their names.
AUTOLOAD = r"""<?php
set_include_path(__DIR__ . '/lib' . PATH_SEPARATOR . get_include_path());
spl_autoload_register(function ($name) {
    foreach (['\\', '_'] as $mark) {
        $file = __DIR__ . '/lib/' . str_replace($mark, '/', $name) . '.php';
        if (is_file($file)) {
            require_once $file;
            return;
        }
    }
});
require_once __DIR__ . '/lib/GuzzleHttp/functions_include.php';
"""


def main(debs, archive):
    with tempfile.TemporaryDirectory() as scratch:
        unpacked, tree = Path(scratch, "debs"), Path(scratch, "tree")
        unpack(debs, unpacked)
        shutil.copytree(unpacked / "usr/share/roundcube", tree, symlinks=True)
        shutil.copytree(unpacked / "usr/share/php", tree / "vendor/lib")
        (tree / "vendor/autoload.php").write_text(AUTOLOAD)
        for path in (tree / "vendor/lib").rglob("*autoload.php"):
            # Debian's name each other by where Debian has them
            up = "../" * (len(path.relative_to(tree / "vendor/lib").parts) - 1)
            path.write_text(path.read_text().replace("'/usr/share/php/", f"__DIR__ . '/{up}"))
        (tree / "config").mkdir()
        for name in ["defaults.inc.php", "mimetypes.php"]:
            shutil.copyfile(unpacked / "etc/roundcube" / name, tree / "config" / name)
        sample = (tree / "config.inc.php.sample").read_text()
        (tree / "config/config.inc.php.sample").write_text(sample.replace('include("/etc/roundcube/debian-db-roundcube.php");\n', ""))
        (tree / "config.inc.php.sample").unlink()
        for directory in ["logs", "temp"]:
            (tree / directory).mkdir()
        for plugin in (tree / "plugins").iterdir():
            # a link to /etc: upstream brings config.inc.php.dist alone
            (plugin / "config.inc.php").unlink(missing_ok=True)
        for path in [*tree.glob("bin/*.sh"), tree / "installer/index.php", tree / "program/include/iniset.php"]:
            name = str(path.relative_to(tree))
            text = path.read_text()
            path.write_text(text.replace(DEBIANS, UPSTREAMS.get(name) or UPSTREAMS["bin"]))
        link_in(tree, unpacked)
        resolve(tree, "roundcube.py")
        version = re.search(r"'RCMAIL_VERSION', '([0-9.]+)'", (tree / "program/include/iniset.php").read_text())[1]
        pack(tree, f"roundcubemail-{version}", Path(archive), TIME)
        print(version)


def link_in(tree, unpacked):
    """Put the libraries' files and directories in the places of the links that lead to them."""
    for path in sorted(tree.rglob("*")):
        if not path.is_symlink():
            continue
        target = (unpacked / "usr/share/roundcube" / path.parent.relative_to(tree) / path.readlink()).resolve(strict=True)
        path.unlink()
        (shutil.copytree if target.is_dir() else shutil.copyfile)(target, path)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
