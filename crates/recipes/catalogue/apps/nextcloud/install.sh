#!/bin/sh
# Written by paquerette at every run: installs what is not installed yet, and says so in the end; begun again, it goes on.
set -eu
cd {{ paths.current }}
occ() { php -dapc.enable_cli=1 occ --no-interaction "$@"; }
if ! grep -qs "'installed' => true" {{ kept.config }}/config.php; then
    # without it no settings are written
    touch {{ kept.config }}/CAN_INSTALL
    # the first user comes below: here its password would be an argument; at the database's socket there is none
    occ maintenance:install --disable-admin-user --data-dir={{ paths.data }} \
{% if database.engine == 'sqlite' %}
        --database=sqlite
{% else %}
        --database={{ 'pgsql' if database.engine == 'postgres' else 'mysql' }} --database-name={{ database.name }} --database-user={{ database.user }} --database-pass= \
        --database-host={{ 'localhost:' ~ database.socket if database.engine == 'mariadb' else database.socket }}
{% endif %}
fi
occ user:info {{ vars.superuser }} >/dev/null || occ user:add --password-from-env {{ vars.superuser }}
occ group:adduser admin {{ vars.superuser }}
# its own checks ask for both; external apps want a daemon that is not here
occ db:add-missing-indices
occ maintenance:repair --include-expensive
occ app:disable app_api
# by name: its own reading of standard input does not wait for what comes
occ config:import php://stdin
