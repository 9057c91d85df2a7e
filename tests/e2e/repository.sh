# Makes a small repository in /root/repository: `tree` in version 99, signed by a new key, and serves it. Debian has an
# older `tree`, so the version that gets installed tells which lists apt has read.
export GNUPGHOME=/root/gnupg
mkdir -m 700 "$GNUPGHOME"
for who in law other; do
    gpg --batch --quiet --passphrase '' --quick-generate-key "$who" ed25519 sign never 2>/dev/null
    gpg --armor --export "=$who" >"/root/$who.asc"
    gpg --with-colons --list-keys "=$who" | awk -F: '/^fpr/ { print $10; exit }' >"/root/$who.fingerprint"
done
mkdir -p package/DEBIAN package/usr/share/doc/tree repository/pool repository/dists/law/main/binary-amd64
printf '%s\n' 'Package: tree' 'Version: 99' 'Architecture: all' 'Maintainer: law <law@law.test>' \
    'Description: not the tree of Debian' >package/DEBIAN/control
echo ours >package/usr/share/doc/tree/ours
dpkg-deb --root-owner-group --build package repository/pool/tree.deb >/dev/null
cd repository
apt-ftparchive packages pool >dists/law/main/binary-amd64/Packages
apt-ftparchive -o APT::FTPArchive::Release::Suite=law -o APT::FTPArchive::Release::Components=main \
    -o APT::FTPArchive::Release::Architectures=amd64 release dists/law >/root/Release
mv /root/Release dists/law/Release
for who in law other; do
    gpg --batch --quiet --passphrase '' --local-user "=$who" --clearsign --output "/root/InRelease.$who" dists/law/Release
done
cp /root/InRelease.law dists/law/InRelease
cp /root/*.asc .
systemd-run --quiet --unit repository python3 -m http.server -d /root/repository 8070
for _ in $(seq 50); do
    python3 -c 'import urllib.request as r; r.urlopen("http://127.0.0.1:8070/")' 2>/dev/null && exit
    sleep 0.1
done
exit 1
