# Runs pq-apply on a plan that replaces one file, once for each system call that it makes, with a fault at that call.
#
# every_syscall.sh FAULT [CALLS]: FAULT is as strace's inject= has it, `@` where the number of the call goes; CALLS are the
# only ones to be tried. Writes a line for each point: the call, its number, the exit status, and what is wrong.

fault=$1
only=${2:-.*}
plan=/root/writer.ndjson
file=/srv/writer/file
# What is there before is nobody's work.
apply="pq-apply --take ours $file"
# Our own threads, and none of the programs that are started.
strace="strace -f -b execve -qq"
reset() {
    rm -rf /srv/writer /var/lib/paquerette /run/paquerette
    mkdir /srv/writer
    printf 'old\nold\n' >$file
    chmod 640 $file
}
wanted=$(printf 'new\nnew\nnew\n' | sha256sum)
before=$(printf 'old\nold\n' | sha256sum)

reset
$strace -o /tmp/calls $apply <$plan >/dev/null 2>&1 || { echo "undisturbed: it failed"; exit 1; }
# Each call's name and how often one thread makes it, since strace counts by thread.
awk '{ split($2, name, "("); if (name[1] ~ /^[a-z0-9_]+$/) count[$1 " " name[1]]++ }
    END { for (it in count) { split(it, of, " "); if (count[it] > most[of[2]]) most[of[2]] = count[it] }
          for (call in most) print call, most[call] }' /tmp/calls | sort >/tmp/names
while read -r name count; do
    case $name in exit | exit_group | execve | rt_sigreturn | restart_syscall) continue ;; esac
    echo "$name" | grep -Eqx "$only" || continue
    n=1
    while [ $n -le "$count" ]; do
        reset
        inject=$(echo "$fault" | sed "s/@/$n/")
        # What the shell says of a killed command is noise.
        { timeout 20 $strace -o /dev/null -e trace="$name" -e inject="$name:$inject" \
            $apply <$plan >/tmp/out 2>/tmp/err; code=$?; } 2>/dev/null
        wrong=
        is=$(sha256sum <$file 2>/dev/null) || wrong="$wrong missing"
        [ "$is" = "$wanted" ] || [ "$is" = "$before" ] || wrong="$wrong neither-old-nor-new"
        [ "$(ls -A /srv/writer | wc -l)" -le 2 ] || wrong="$wrong leftovers"
        ! grep -q panicked /tmp/out /tmp/err || wrong="$wrong panic"
        [ $code -ne 124 ] || wrong="$wrong hang"
        case $fault in
            error=*)
                case "$name $fault" in
                    # Where nothing at all can be written any more, there is no saying why.
                    "write "*@+) ;;
                    *) [ $code -eq 0 ] || grep -qE 'error|cause' /tmp/out /tmp/err || wrong="$wrong no-reason" ;;
                esac
                case $code in 0 | 1 | 2 | 75 | 127) ;; *) wrong="$wrong status" ;; esac
                [ $code -ne 0 ] || [ "$is" = "$wanted" ] || wrong="$wrong success-without-effect"
                ;;
        esac
        $apply <$plan >/tmp/again 2>&1 || wrong="$wrong rerun-fails"
        [ "$(sha256sum <$file)" = "$wanted" ] && [ "$(stat -c %a $file)" = 600 ] || wrong="$wrong rerun-differs"
        [ "$(ls -A /srv/writer)" = file ] || wrong="$wrong rerun-leaves-something"
        echo "$name $n $code$wrong"
        [ -z "$wrong" ] || { head -c 300 /tmp/err; head -c 300 /tmp/again; } | sed 's/^/    /'
        n=$((n + 1))
    done
done </tmp/names
