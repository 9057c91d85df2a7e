# The state of a machine below the directories given, one line a thing, sorted: what two machines that are the same
# have in common. Left out: keys and their certificates, times, logs, caches, what paquerette notes of its own runs.
export LC_ALL=C
here() {
    find "$@" -xdev \( \
        -path /var/log -o -path /var/cache -o -path /srv/paquerette/tmp -o -path /var/tmp -o -path /tmp -o -path /root -o -path /usr/local/bin \
        -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /var/lib/ucf \
        -o -path /var/lib/paquerette/journal -o -path /var/lib/paquerette/history -o -path /var/lib/paquerette/reload \
        -o -path /var/lib/php/sessions -o -path /etc/machine-id -o -path '/etc/ssh/ssh_host_*' -o -path '/etc/*-' \
        -o -path '/srv/paquerette/www/*/kept/data/cache' -o -name __pycache__ \
        -o -path /etc/hostname -o -path /etc/hosts -o -path /etc/systemd/network -o -path /etc/ld.so.cache \
        \) -prune -o "$FIND_WHAT" -printf "$FIND_HOW"
}
content() {
    find "$@" -xdev \( \
        -path /var/log -o -path /var/cache -o -path /srv/paquerette/tmp -o -path /var/tmp -o -path /tmp -o -path /root -o -path /usr/local/bin \
        -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /var/lib/ucf \
        -o -path /var/lib/paquerette -o -path /var/lib/php/sessions -o -path /etc/machine-id \
        -o -path '/etc/ssh/ssh_host_*' -o -path '/etc/*-' \
        -o -path '/srv/paquerette/www/*/kept/data/cache' -o -name __pycache__ -o -name '*.pem' -o -name '*.key' \
        -o -path /etc/hostname -o -path /etc/hosts -o -path /etc/systemd/network -o -path /etc/ld.so.cache \
        -o -path /etc/shadow -o -path /etc/gshadow \
        \) -prune -o -type f -print0
}
FIND_WHAT=-true FIND_HOW='%p %y %m %u:%g %l\n' here "$@" | sort
content "$@" | sort -z | xargs -0r sha256sum
cut -d: -f1,3- /etc/passwd | sort
dpkg-query -W -f '${Package} ${Version} ${Status}\n'
systemctl list-units --type=service,socket,timer --all --plain --no-legend --state=active,failed | awk '{print $1, $3}' |
    grep -Ev '^(systemd-|user|session|apt-|getty@|console-getty|dbus|e2scrub|phpsessionclean|man-db|fstrim|logrotate|dpkg-db)' | sort
systemctl list-unit-files --plain --no-legend --state=enabled | awk '{print $1}' | sort
