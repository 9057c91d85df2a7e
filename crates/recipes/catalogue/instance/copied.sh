#!/bin/sh
# Written by paquerette: makes a release of what is in a directory of this machine.
#
# usage: copied make RELEASE DIRECTORY GROUP    the group of who may read the release
#        copied same RELEASE DIRECTORY          ends with 0 where the release is what is in the directory
#
# A release is whole when it has its name; what a run that was killed has left goes first. Owner, times, who may write and what git or
# Python keep beside are left out, of the copy and of its digest.
set -eu
umask 077
release=$2 directory=$3
taken() {
    tar c -C "$directory" --format=gnu --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,g=rX,o= \
        --exclude-vcs --exclude=__pycache__ --exclude=./.paquerette .
}
if [ ! -d "$directory" ]; then
    echo "there is no directory $directory" >&2
    exit 1
fi
# Whoever may rename what is on the way there would choose what root reads.
if [ -L "$directory" ]; then
    echo "$directory is not read: it is a link" >&2
    exit 1
fi
way=$directory
while [ "$way" != / ]; do
    way=$(dirname "$way")
    if [ -z "$(find "$way" -maxdepth 0 -type d -user root ! -perm /022)" ]; then
        echo "$directory is not read: somebody beside root may change $way; a directory such as /srv/shop may be anybody's itself" >&2
        exit 1
    fi
done
if [ "$1" = same ]; then
    [ "$(taken | sha256sum)" = "$(cat "$release/.paquerette/copied" 2>/dev/null)" ]
    exit
fi
releases=${release%/*}
fresh=$releases/.tmp-${release##*/}
if [ ! -e "$release" ] && [ -e "$fresh.old" ]; then mv -T "$fresh.old" "$release"; fi
rm -rf "$releases"/.tmp-*
trap 'rm -rf "$fresh" "$fresh.tar"' EXIT
mkdir -m 750 "$fresh" "$fresh/.paquerette"
taken >"$fresh.tar"
tar x --no-same-owner -C "$fresh" <"$fresh.tar"
sha256sum <"$fresh.tar" >"$fresh/.paquerette/copied"
chgrp -hR "$4" "$fresh"
# an environment is known by its path, which stays
if [ -e "$release/.paquerette/venv" ]; then mv -T "$release/.paquerette/venv" "$fresh/.paquerette/venv"; fi
if [ -e "$release" ]; then mv -T "$release" "$fresh.old"; fi
mv -T "$fresh" "$release"
rm -rf "$fresh.old"
