#!/bin/sh
# Written by paquerette at every run: runs its jobs, or switches them on. What they say is told where they fail.
set -eu
umask 027
if [ "${1-}" = install ]; then
    php {{ paths.home }}/jobs.php
    : >{{ paths.data }}/documents/jobs.lock
    exit
fi
said=$(php -d auto_prepend_file={{ paths.home }}/jobs.php {{ paths.current }}/scripts/cron/cron_run_jobs.php 2>&1) && exit 0
# its administrators switched them off
case $said in *"not activated"*) exit 0 ;; esac
printf '%s\n' "$said" >&2
exit 1
