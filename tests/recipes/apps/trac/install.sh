#!/bin/sh
# Written by paquerette: makes a project.
#
# usage: install TRAC-ADMIN PROJECT SETTINGS TITLE DATABASE ADMIN
#
# A project is whole once `.installed` is in it; what a run that was killed has left goes first.
set -eu
trac_admin=$1 project=$2 settings=$3 title=$4 database=$5 admin=$6
rm -rf "$project"
case $database in
postgres:*) psql -qc 'DROP OWNED BY CURRENT_USER CASCADE' ;;
esac
"$trac_admin" "$project" initenv "--inherit=$settings" "$title" "$database"
"$trac_admin" "$project" permission add "$admin" TRAC_ADMIN
touch "$project/.installed"
