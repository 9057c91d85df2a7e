#!/bin/sh
# Written by paquerette at every run: `is VERSION` asks its tables which version they are of; `to VERSION` brings them there, a major at a time.
set -eu
umask 077
documents={{ paths.data }}/documents
at() {
    query="SELECT value FROM llx_const WHERE entity = 0 AND name IN ('MAIN_VERSION_LAST_UPGRADE', 'MAIN_VERSION_LAST_INSTALL') ORDER BY name DESC LIMIT 1"
{% if database.engine == 'mariadb' %}
    {{ os.mariadb.client }} -BNe "$query" {{ database.name }}
{% else %}
    psql -AtX -d {{ database.name }} -c "$query"
{% endif %}
}
if [ "$1" = is ]; then
    test "$(at)" = "$2"
    exit
fi
cd {{ paths.current }}/htdocs/install
# opens its upgrade, for its command line alone: the web server refuses these pages
: >"$documents/upgrade.unlock"
trap 'rm -f "$documents/upgrade.unlock" {{ paths.tmp }}/upgrade.php {{ paths.tmp }}/upgrade.log' EXIT
# what it does is noted where nobody else reads it, not in /tmp
echo "<?php define('SYSLOG_FILE', '{{ paths.tmp }}/upgrade.log');" >{{ paths.tmp }}/upgrade.php
step() {
    php -d auto_prepend_file={{ paths.tmp }}/upgrade.php "$@" >{{ paths.tmp }}/upgrade.html </dev/null && ! grep -q 'class="error"' {{ paths.tmp }}/upgrade.html && return
    sed 's/<[^>]*>/ /g' {{ paths.tmp }}/upgrade.html | grep -v '^ *$' | tail -n 20 >&2
    exit 1
}
from=$(at)
from=${from%%.*}
last=${2%%.*}
case $from in '' | *[!0-9]*)
    echo "its tables do not say which version they are of" >&2
    exit 1
    ;;
esac
while [ "$from" -lt "$last" ]; do
    next=$((from + 1))
    step upgrade.php "$from.0.0" "$next.0.0"
    step upgrade2.php "$from.0.0" "$next.0.0"
    [ "$next" -eq "$last" ] || step step5.php "$from.0.0" "$next.0.0" auto "upgrade_$next.0.0"
    from=$next
done
step step5.php "$last.0.0" "$last.0.0" auto upgrade
# its steps end with 0 where they did nothing, too
is=$(at)
if [ "$is" != "$2" ]; then
    echo "its tables are of version $is still, not of $2" >&2
    exit 1
fi
rm -f {{ paths.tmp }}/upgrade.html
