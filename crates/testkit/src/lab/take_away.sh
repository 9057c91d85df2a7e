# Takes one machine away with all it used: processes, cgroup, mount, directory. Harmless when run twice.
#
# Waits for one line on standard input. `done` means that nobody asks for the logs; anything else, and the end of
# input (the owner died), that they are kept.
#
# arguments: DIR CGROUP LOGS    LOGS: where the machine's log and journal are kept

dir=$1 cgroup=$2 logs=$3
trap '' HUP INT TERM
verdict=
read -r verdict

[ -d "$dir" ] || exit 0
: >"$dir/stop"
while grep -qs 'populated 1' "$cgroup/cgroup.events"; do
    echo 1 >"$cgroup/cgroup.kill"
    sleep 0.02
done
[ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null

if [ "$verdict" != done ] && [ -d "$dir/upper" ]; then
    mkdir -p "$logs"
    cp "$dir/machine.log" "$logs/"
    cp -r "$dir/upper/var/log/journal" "$logs/"
fi 2>/dev/null

# A mount may stay busy for a moment after its last process.
tries=0
while grep -qF " $dir/root " /proc/self/mounts; do
    tries=$((tries + 1))
    if [ "$tries" -lt 100 ]; then umount "$dir/root"; else umount --lazy "$dir/root"; fi 2>/dev/null || sleep 0.05
done
id=${dir##*/}
rmdir "/run/systemd/nspawn/propagate/${id%%.*}" 2>/dev/null
rm -rf --one-file-system "$dir"
