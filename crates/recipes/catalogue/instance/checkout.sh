#!/bin/sh
# Written by paquerette: makes a release of a tag of a git repository.
#
# usage: checkout RELEASE ADDRESS TAG COMMIT
#
# A release is whole when it has its name; what a run that was killed has left goes first.
set -eu
release=$1 url=$2 tag=$3 commit=$4
releases=${release%/*}
fresh=$releases/.tmp-${release##*/}
if [ ! -e "$release" ] && [ -e "$fresh.old" ]; then mv -T "$fresh.old" "$release"; fi
rm -rf "$releases"/.tmp-*
trap 'rm -rf "$fresh"' EXIT
mkdir -m 755 "$fresh" "$fresh/.paquerette"
git init --quiet --bare "$fresh/.paquerette/git"
cd "$fresh/.paquerette/git"
git fetch --quiet --depth 1 --no-tags "$url" "refs/tags/$tag"
is=$(git rev-parse --verify 'FETCH_HEAD^{commit}')
if [ "$is" != "$commit" ]; then
    echo "the tag $tag is the commit $is, and $commit was asked for" >&2
    exit 1
fi
git archive --format=tar "$commit" | tar x --no-same-owner -C "$fresh"
cd /
rm -rf "$fresh/.paquerette/git"
printf '%s\n' "$commit" >"$fresh/.paquerette/commit"
if [ -e "$release" ]; then mv -T "$release" "$fresh.old"; fi
mv -T "$fresh" "$release"
rm -rf "$fresh.old"
