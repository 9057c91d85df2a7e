#!/usr/bin/env python3
"""Repack Debian's mediawiki into the archive that upstream publishes

usage: mediawiki.py DEBS ARCHIVE    DEBS: directory of .deb files, ARCHIVE: the .tar.gz to write

Debian keeps extensions and what changes in /var/lib, and moves the settings to /etc. Here all of it is back under one
directory. The version that the code says of itself is written to standard output.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from repack import pack, resolve, unpack

TIME = 1765843200  # every file's, so that archives are the same

# Debian's own: its installer's other place of the settings, and links to /var/lib and /etc.
DEBIANS = ["mw-config/overrides/DebianOverrides.php", "LocalSettings.php", "config", "extensions", "images"]


def main(debs, archive):
    with tempfile.TemporaryDirectory() as scratch:
        unpacked, tree = Path(scratch, "debs"), Path(scratch, "tree")
        unpack(debs, unpacked)
        shutil.copytree(unpacked / "usr/share/mediawiki", tree, symlinks=True)
        for name in DEBIANS:
            (tree / name).unlink()
        (tree / "extensions-core").rename(tree / "extensions")
        shutil.copytree(unpacked / "var/lib/mediawiki/images", tree / "images")
        (tree / "cache").mkdir()
        resolve(tree, "mediawiki.py")
        defines = (tree / "includes/Defines.php").read_text()
        version = re.search(r"define\( 'MW_VERSION', '([0-9.]+)' \);", defines)[1]
        pack(tree, f"mediawiki-{version}", Path(archive), TIME)
        print(version)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
