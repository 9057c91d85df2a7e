# Keeps one machine running: starts it in a cgroup of its own, and again each time it asks for a reboot.
#
# arguments: DIR CGROUP COMMAND…    ends when the machine is off, or when DIR/stop stands there

dir=$1 cgroup=$2
shift 2
while [ ! -e "$dir/stop" ]; do
    mkdir -p "$cgroup" || exit 1
    sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" "$@"
    # 133: systemd-nspawn's way to say that the machine reboots
    [ $? -eq 133 ] || exit 0
done
