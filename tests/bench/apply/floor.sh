#!/bin/sh
# The least that a first run has to do: the packages in one transaction, the application's files, its installer
#
# usage: floor.sh BASE INSTANCE VERSION URL    `packages`, `wp-config.php` and `install.php` are in this directory

set -eu
base=$1 instance=$2 version=$3 url=$4
home=$base/www/$instance
release=$home/releases/$version

export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2046 # a list of words
apt-get -qq install -y --no-install-recommends $(cat packages)
useradd --system --home-dir "$home" --no-create-home "$instance"
mkdir -p "$release" "$home/kept"
chown "$instance" "$home/kept"
curl -sS "$url" | tar xz -C "$release" --strip-components=1 --no-same-owner
install -m 0644 wp-config.php "$home/kept/"
install -m 0644 install.php "$home/"
ln -s "releases/$version" "$home/current"
ln -s "$home/kept/wp-config.php" "$release/wp-config.php"
mariadb -e "CREATE DATABASE $instance; CREATE USER $instance@localhost IDENTIFIED VIA unix_socket;
    GRANT ALL PRIVILEGES ON $instance.* TO $instance@localhost"
setpriv --reuid="$instance" --regid="$instance" --init-groups php "$home/install.php"
