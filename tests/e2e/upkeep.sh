# upkeep.sh VERSION [FAIL]: a repository with package `clock` in this version, whose service runs its own program, and whose
# installation fails where that is asked for. The package does not restart its service itself.
version=$1 fail=${2:-}
mkdir -p /root/repository && cd /root/repository
rm -rf package && mkdir -p package/DEBIAN package/usr/lib/clock package/lib/systemd/system package/etc
cp /bin/sleep package/usr/lib/clock/clock
echo "$version" >>package/usr/lib/clock/clock
echo "setting=$version" >package/etc/clock.conf
echo /etc/clock.conf >package/DEBIAN/conffiles
printf '%s\n' '[Unit]' 'Description=Clock' '[Service]' 'ExecStart=/usr/lib/clock/clock infinity' \
    '[Install]' 'WantedBy=multi-user.target' >package/lib/systemd/system/clock.service
printf '%s\n' 'Package: clock' "Version: $version" 'Architecture: amd64' 'Maintainer: law <law@law.test>' \
    'Description: a service' >package/DEBIAN/control
printf '%s\n' '#!/bin/sh' 'systemctl daemon-reload' 'systemctl is-active -q clock || systemctl enable -q --now clock' \
    "${fail:+echo the clock is broken >&2; exit 7}" >package/DEBIAN/postinst
chmod 755 package/DEBIAN/postinst
dpkg-deb --root-owner-group -Znone --build package "clock_$version.deb" >/dev/null
for deb in *.deb; do
    dpkg-deb -f "$deb"
    echo "Filename: ./$deb"
    echo "Size: $(stat -c %s "$deb")"
    echo "SHA256: $(sha256sum "$deb" | cut -d' ' -f1)"
    echo
done >Packages
{
    printf '%s\n' 'Label: Law' 'Suite: stable' "Date: $(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S UTC')" 'SHA256:'
    echo " $(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) Packages"
} >Release
echo 'deb [trusted=yes] copy:/root/repository ./' >/etc/apt/sources.list
rm -f /etc/apt/sources.list.d/*
