# A machine with something of each kind to watch: a web server with a chain of three certificates, an application, two databases, a
# name server, mail, a small disk, a job, processes.
export DEBIAN_FRONTEND=noninteractive
echo 'postfix postfix/main_mailer_type select Local only' | debconf-set-selections
apt-get update -qq
apt-get install -y -qq nginx-light mariadb-server redis-server cron openssl ca-certificates python3 faketime postfix monit strace >/dev/null
systemctl disable --now monit.service
mkdir -p /srv/shop /srv/tls/live /srv/data /srv/www /etc/paquerette/monitor.d

cat >/srv/shop/shop.py <<'PY'
# What it does is said in /srv/shop/mode, read at each request.
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
kept = []
class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        mode = open('/srv/shop/mode').read().strip()
        if mode == 'slow':
            time.sleep(2)
        if mode == 'grow' and not kept:
            kept.append(bytearray(b'x' * (250 << 20)))
        status = {'fails': 500, 'loop': 302}.get(mode, 200)
        body = b'under construction' if mode == 'other' else b'your basket'
        self.send_response(status)
        if mode == 'loop':
            self.send_header('Location', '/')
        if mode != 'bare':
            self.send_header('X-Shop', 'yes')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
ThreadingHTTPServer(('127.0.0.1', 8090), Shop).serve_forever()
PY
cat >/srv/shop/names.py <<'PY'
# A name server that says that every name is at the address in /srv/shop/address.
import socket
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(('127.0.0.1', 5300))
while True:
    asked, who = listener.recvfrom(512)
    end = asked.index(b'\0', 12) + 5
    address = socket.inet_aton(open('/srv/shop/address').read().strip())
    head = asked[:2] + b'\x81\x80\0\1\0\1\0\0\0\0'
    listener.sendto(head + asked[12:end] + b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4' + address, who)
PY
cp /bin/sleep /usr/local/bin/shopworker
unit() { printf '[Service]\nExecStart=%s\n%s\n[Install]\nWantedBy=multi-user.target\n' "$2" "${3:-}" >"/etc/systemd/system/$1.service"; }
unit shop '/usr/bin/python3 /srv/shop/shop.py'
unit names '/usr/bin/python3 /srv/shop/names.py'
unit workers "/bin/sh -c 'shopworker infinity & shopworker infinity'" KillMode=control-group
unit loops "/bin/sh -c 'test ! -e /srv/shop/fails && exec sleep infinity'" 'Restart=always
RestartSec=300ms
StartLimitIntervalSec=0'
unit data "/bin/mount -t tmpfs -o size=32m,nr_inodes=2000 tmpfs /srv/data" 'Type=oneshot
RemainAfterExit=yes'
sed -i 's/^StartLimitIntervalSec=0$//; s/^\[Service\]/[Unit]\nStartLimitIntervalSec=0\n[Service]/' /etc/systemd/system/loops.service
echo well >/srv/shop/mode; echo 192.0.2.7 >/srv/shop/address
systemctl daemon-reload
systemctl enable --now shop names workers loops data

cat >/usr/local/bin/certificate <<'SH'
#!/bin/bash
# certificate KIND: the web server's certificate, of that kind; the server reads it, but for `unread`
set -euo pipefail
cd /srv/tls
subject() { printf '[req]\ndistinguished_name=n\n[n]\n'; }
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
sign() { # NAME ISSUER FROM DAYS EXTENSIONS
    openssl req -new -key "$1.key" -subj "/CN=$1" -config <(subject) -out "$1.csr"
    faketime "$3" openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$4" -extfile <(printf '%s\n' "$5") -out "$1.pem" 2>/dev/null
}
ago() { date -d "$1 days ago" '+%Y-%m-%d %H:%M:%S'; }
authority=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'
if [ ! -e ca.pem ]; then
    key ca.key; key middle.key; key leaf.key
    faketime "$(ago 400)" openssl req -x509 -key ca.key -subj /CN=ca -days 4000 -config <(subject) -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -out ca.pem
fi
kind=$1 middle_from=$(ago 200) middle_days=1000 from=$(ago 10) days=100 name=wiki.test
case $kind in
expired) from=$(ago 110) ;;
old) from=$(ago 90) ;;
name) name=other.test ;;
middle) middle_days=199 ;;
esac
sign middle ca "$middle_from" "$middle_days" "$authority"
sign leaf middle "$from" "$days" "subjectAltName=DNS:$name"
case $kind in
cut) cat leaf.pem >live/chain.pem ;;
*) cat leaf.pem middle.pem >live/chain.pem ;;
esac
cp leaf.key live/key.pem
[ "$kind" = unread ] || nginx -s reload 2>/dev/null || systemctl restart nginx
SH
chmod 0755 /usr/local/bin/certificate
echo 'a wiki' >/srv/www/index.html
cat >/etc/nginx/sites-enabled/default <<'N'
server { listen 443 ssl; server_name wiki.test; root /srv/www; ssl_certificate /srv/tls/live/chain.pem; ssl_certificate_key /srv/tls/live/key.pem; }
N
certificate good
# what asks as everybody does finds the name here, and trusts its authority
echo 127.0.0.1 wiki.test >>/etc/hosts
cp /srv/tls/ca.pem /usr/local/share/ca-certificates/lab.crt
update-ca-certificates >/dev/null
systemctl restart nginx
mariadb -e "CREATE DATABASE shop; CREATE USER 'www-data'@localhost IDENTIFIED VIA unix_socket; GRANT SELECT ON shop.* TO 'www-data'@localhost"
sed -i 's/^# *unixsocket .*/unixsocket \/run\/redis\/redis-server.sock/' /etc/redis/redis.conf
systemctl restart redis-server
printf '#!/bin/sh\necho OK\n' >/usr/local/bin/plugin; chmod 0755 /usr/local/bin/plugin

cat >/etc/paquerette/monitor.yml <<'Y'
schedule: { run: "* * * * *", digest: "0 7 * * 1" }
alerts: { remind_after: [4h, 24h], channels: [{ name: file, exec: { argv: [sh, -c, cat >>/root/told] } }] }
thresholds: { damping: { failures: 2, of: 2 }, disk: { warn: 85, critical: 95 }, disk_full_within: 7d, certificate: { warn: 72, critical: 84 } }
Y
cat >/etc/paquerette/monitor.d/lab.yml <<'Y'
owner: lab
checks:
- { id: shop, unit: { name: shop.service, memory_mb: 200 } }
- { id: loops, unit: { name: loops.service } }
- { id: cron, unit: { name: cron.service } }
- { id: page, timeout: 4s, http: { url: "http://127.0.0.1:8090/", body: basket, headers: { X-Shop: "yes" }, redirects: 3, within: 1s } }
- { id: port, tcp: { host: 127.0.0.1, port: 8090 } }
- { id: site, http: { url: "https://wiki.test/", at: "127.0.0.1:443", ca: /srv/tls/ca.pem, body: wiki } }
- { id: certificate, certificate: { names: [wiki.test], file: /srv/tls/live/chain.pem, served: "127.0.0.1:443", ca: /srv/tls/ca.pem } }
- { id: name, timeout: 3s, dns: { name: wiki.test, server: "127.0.0.1:5300", expect: [192.0.2.7] } }
- { id: mariadb, timeout: 4s, database: { engine: mariadb } }
- { id: login, timeout: 4s, database: { engine: mariadb, name: shop, user: www-data } }
- { id: redis, timeout: 4s, database: { engine: redis } }
- { id: socket, timeout: 4s, socket: { path: /run/mysqld/mysqld.sock } }
- { id: disk, disk: { path: /srv/data } }
- { id: mail, queue: { of: postfix, most: 3 } }
- { id: oom, oom: { within: 10s } }
- { id: backup, backup: { of: [data], max_age: 26h, proven_within: 40d } }
- { id: job, heartbeat: { name: job, within: 1h } }
- { id: feed, file: { path: /srv/feed, max_age: 1h } }
- { id: workers, process: { name: shopworker, least: 2 } }
- { id: plugin, timeout: 4s, command: { argv: [/usr/local/bin/plugin] } }
- { id: left, runs: {} }
- { id: outside, timeout: 4s, tcp: { host: 10.77.0.1, port: 3142 } }
Y
cat >/usr/local/bin/backed-up <<'SH'
#!/bin/sh
# backed-up WHEN: as pq-backup notes a backup and a proven restore of that time
mkdir -p /var/lib/paquerette/backup
at=$(date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ)
printf '{"items":{"data":{"newest":{"set":"s","when":"%s"},"proven":{"when":"%s"}}}}' "$at" "$at" >/var/lib/paquerette/backup/state.json
SH
chmod 0755 /usr/local/bin/backed-up
cat >/usr/local/bin/starve <<'SH'
#!/bin/bash
# starve UNIT MIB: it may have so much memory and no more, and what grows beyond is ended by the kernel; starve --end: that is over
#
# By systemd where the kernel gives it the controller, else in the hierarchy of cgroups before that.
set -euo pipefail
old=/run/memory
if [ "$1" = --end ]; then
    [ ! -d $old/$HOSTNAME ] || rmdir $old/$HOSTNAME
    ! mountpoint -q $old || umount $old
elif grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
    systemctl set-property --runtime "$1" "MemoryMax=$2M" MemorySwapMax=0
else
    mkdir -p $old
    mountpoint -q $old || mount -t cgroup -o memory memory $old
    mkdir -p $old/$HOSTNAME
    echo "$2M" >$old/$HOSTNAME/memory.limit_in_bytes
    systemctl show --property=MainPID --value "$1" >$old/$HOSTNAME/cgroup.procs
fi
SH
chmod 0755 /usr/local/bin/starve
