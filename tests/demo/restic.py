#!/usr/bin/env python3
"""Put the restic of Debian 13 into the file that upstream publishes: the program alone, in bzip2

usage: restic.py PROXY ARCHIVE    PROXY: a cache of Debian's packages, ARCHIVE: the .bz2 to write

Its package is the one that the index of Debian names, by its SHA-256. The version that the program says of itself is
written to standard output.
"""

import bz2
import hashlib
import lzma
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from repack import unpack

DEBIAN = "http://deb.debian.org/debian"


def main(proxy, archive):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))

    def fetch(path):
        with opener.open(f"{DEBIAN}/{path}", timeout=120) as answer:
            return answer.read()

    architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
    index = lzma.decompress(fetch(f"dists/trixie/main/binary-{architecture}/Packages.xz")).decode()
    entry = re.search(r"^Package: restic\n(?:.+\n)*", index, re.MULTILINE)[0]
    package = fetch(re.search(r"^Filename: (.+)$", entry, re.MULTILINE)[1])
    if hashlib.sha256(package).hexdigest() != re.search(r"^SHA256: (.+)$", entry, re.MULTILINE)[1]:
        raise SystemExit("restic.py: error: the package of restic is not the one that Debian's index names")
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "restic.deb").write_bytes(package)
        unpack(scratch, Path(scratch, "tree"))
        program = Path(scratch, "tree/usr/bin/restic")
        said = subprocess.run([program, "version"], check=True, capture_output=True, text=True).stdout
        archive = Path(archive)
        archive.parent.mkdir(parents=True, exist_ok=True)
        beside = archive.with_name(archive.name + ".new")
        beside.write_bytes(bz2.compress(program.read_bytes(), 1))
        beside.rename(archive)
        print(re.match(r"restic ([0-9.]+)", said)[1])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
