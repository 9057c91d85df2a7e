# The state of a machine below the directories given, one line a thing, sorted: what two machines that are the same
# have in common. Left out: keys and their certificates, databases, times, logs, caches, what paquerette notes of its own runs,
# what Debian's own timer backs up once a day.
export LC_ALL=C
left_out=(
    -path /var/log -o -path /var/cache -o -path /var/tmp -o -path /tmp -o -path /root -o -path /usr/local/bin
    -o -path /var/backups -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /var/lib/ucf
    -o -path '/var/lib/paquerette/*'
    -o -path /var/lib/php/sessions -o -path /srv/paquerette/tmp -o -path '/srv/paquerette/www/*/kept/data/cache'
    -o -path /etc/machine-id -o -path '/etc/ssh/ssh_host_*' -o -path '/etc/*-' -o -path /etc/hostname -o -path /etc/hosts
    -o -path '/var/lib/mysql/*' -o -path /var/lib/fail2ban -o -path '/var/lib/postgresql/*' -o -lname ssl-cert-snakeoil.pem
    -o -path /etc/systemd/network -o -path /etc/ld.so.cache -o -name __pycache__
)
random=(-name '*.pem' -o -name '*.key' -o -path /etc/shadow -o -path /etc/gshadow)
find "$@" -xdev \( "${left_out[@]}" \) -prune -o -printf '%p %y %m %u:%g %l\n' | sort
find "$@" -xdev \( "${left_out[@]}" -o "${random[@]}" \) -prune -o -type f -print0 | sort -z | xargs -0r sha256sum
cut -d: -f1,3- /etc/passwd | sort
dpkg-query -W -f '${Package} ${Version} ${Status}\n'
systemctl list-units --type=service,socket,timer --all --plain --no-legend --state=active,failed | awk '{print $1, $3}' |
    grep -Ev '^(systemd-|user|session|apt-|getty@|console-getty|dbus|e2scrub|phpsessionclean|man-db|fstrim|logrotate|dpkg-db)' | sort
systemctl list-unit-files --plain --no-legend --state=enabled | awk '{print $1}' | sort
