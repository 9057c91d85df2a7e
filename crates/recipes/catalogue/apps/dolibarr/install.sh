#!/bin/sh
# Written by paquerette at every run: installs it; the password of the first user is its input. Begun again, it goes on.
set -eu
umask 077
cd {{ paths.current }}/htdocs/install
# the installer wants settings that it may write
cp {{ kept['htdocs/conf/conf.php'] }} {{ paths.tmp }}/conf.php
step() {
    step=$1
    shift
    php -d auto_prepend_file={{ paths.home }}/install.php "$step.php" -c {{ paths.tmp }}/conf.php "$@" >{{ paths.tmp }}/$step.html && return
    sed 's/<[^>]*>/ /g' {{ paths.tmp }}/$step.html | grep -v '^ *$' | tail -n 20 >&2
    exit 1
}
step step2 set {{ vars.lang }} </dev/null
step step5
rm -f {{ paths.tmp }}/conf.php
if [ ! -e {{ paths.data }}/documents/install.lock ]; then
    # it ends with 0 all the same
    sed 's/<[^>]*>/ /g' {{ paths.tmp }}/step5.html | grep -v '^ *$' | tail -n 20 >&2
    exit 1
fi
rm -f {{ paths.tmp }}/step?.html {{ paths.tmp }}/install.log
