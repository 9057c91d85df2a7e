#!/usr/bin/env python3
"""Repack Debian's wordpress and its libraries into the archive that upstream publishes

usage: wordpress.py DEBS ARCHIVE    DEBS: directory of .deb files, ARCHIVE: the .tar.gz to write

Debian takes libraries and certificates from packages of their own, and moves the settings to /etc. Here all of it is back
under one directory. The version that the code says of itself is written to standard output.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from repack import pack, resolve, unpack

TIME = 1765843200  # every file's, so that archives are the same

# Where libraries of Debian's packages belong in upstream's tree.
LIBRARIES = [
    ("usr/share/php/getid3", "wp-includes/ID3"),
    ("usr/share/javascript/underscore", "wp-includes/js"),
    ("usr/share/javascript/cropper", "wp-includes/js/crop"),
    # Debian 13's
    ("usr/share/javascript/lodash", "wp-includes/js/dist/vendor"),
]

# Debian's own: settings that look into /etc.
DEBIANS = [".htaccess", "wp-config.php"]

BUNDLE = "wp-includes/certificates/ca-bundle.crt"


def main(debs, archive):
    with tempfile.TemporaryDirectory() as scratch:
        unpacked, tree = Path(scratch, "debs"), Path(scratch, "tree")
        unpack(debs, unpacked)
        shutil.copytree(unpacked / "usr/share/wordpress", tree, symlinks=True)
        for name in DEBIANS:
            (tree / name).unlink()
        for source, target in LIBRARIES:
            link_in(unpacked / source, tree / target)
        certificates = sorted((unpacked / "usr/share/ca-certificates/mozilla").glob("*.crt"))
        (tree / BUNDLE).unlink()
        (tree / BUNDLE).write_text("".join(it.read_text() for it in certificates))
        for content in ["plugins", "themes"]:
            directory = tree / "wp-content" / content
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "index.php").write_text("<?php\n// Silence is golden.\n")
        resolve(tree, "wordpress.py")
        version = re.search(r"\$wp_version = '([0-9.]+)';", (tree / "wp-includes/version.php").read_text())[1]
        pack(tree, "wordpress", Path(archive), TIME)
        print(version)


def link_in(library, target):
    """Put the library's files in the places of the links that lead to them."""
    for path in target.iterdir():
        if path.is_symlink():
            content = (library / Path(path.readlink()).name).resolve(strict=True)
            path.unlink()
            shutil.copyfile(content, path)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
