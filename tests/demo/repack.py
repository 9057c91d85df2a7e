"""What the scripts share that give Debian's packages the shape in which upstream publishes them"""

import gzip
import io
import shutil
import subprocess
import tarfile
from pathlib import Path


def unpack(debs, into):
    """Unpack every .deb of a directory over the others."""
    for deb in sorted(Path(debs).glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", deb, into], check=True)


def resolve(tree, script):
    """Put the file in the place of each symbolic link; fails where one leads out of the tree."""
    for path in sorted(tree.rglob("*")):
        if not path.is_symlink():
            continue
        content = path.resolve()
        if not content.is_relative_to(tree.resolve()) or not content.is_file():
            raise SystemExit(f"{script}: error: symbolic link `{path.relative_to(tree)}` leads out of the tree")
        path.unlink()
        shutil.copyfile(content, path)


def pack(tree, top, archive, time, programs=()):
    """Write a .tar.gz below one directory, with every time the same, so that the same tree gives the same bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in [tree, *sorted(tree.rglob("*"))]:
            entry = tar.gettarinfo(path, arcname=str(Path(top, path.relative_to(tree))))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = time
            run = path.is_dir() or str(path.parent.relative_to(tree)) in programs
            entry.mode = 0o755 if run else 0o644
            with path.open("rb") if path.is_file() else io.BytesIO() as content:
                tar.addfile(entry, content)
    archive.parent.mkdir(parents=True, exist_ok=True)
    beside = archive.with_name(archive.name + ".new")
    beside.write_bytes(gzip.compress(plain.getvalue(), compresslevel=6, mtime=time))
    beside.rename(archive)
