#!/bin/sh
# Second half of fresh.sh, in a mount and process namespace of its own:
# fresh-inside.sh LOWER WORK PROJECT root|user STEPS PORT_BASE
set -eu
place=srv/vigie # where the project lies inside
lower=$1 work=$2 project=$3 who=$4 steps=$5 port_base=$6
m=$work/root
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" "$m" 2>/dev/null || {
    mount -t tmpfs tmpfs "$work/upper" && mkdir "$work/upper/u" "$work/upper/w" &&
        mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/upper/u,workdir=$work/upper/w" "$m"
}
mount -t proc proc "$m/proc"
mount --rbind /dev "$m/dev"
mount --rbind /sys "$m/sys" # where an agent sees what keeps the time
for folder in run tmp dev/shm; do mount -t tmpfs tmpfs "$m/$folder"; done
chmod 1777 "$m/tmp" "$m/dev/shm"
cp -L /etc/resolv.conf "$m/etc/resolv.conf"
echo "127.0.0.1 localhost $(hostname)" >"$m/etc/hosts"
# Behind a proxy with a certificate of its own, the machine's trust is ours.
cp -L /etc/ssl/certs/ca-certificates.crt "$m/etc/ssl/certs/ca-certificates.crt"
git clone -q "$project" "$m/$place"

user=root home=/root
if [ "$who" = user ]; then
    user=fleet home=/home/fleet
    chroot "$m" useradd -m -s /bin/bash fleet
    echo 'fleet ALL=(ALL) NOPASSWD: ALL' >"$m/etc/sudoers.d/fleet"
    chroot "$m" chown -R fleet: /$place
fi
inside() {
    chroot "$m" /usr/bin/env -i HOME=$home USER=$user PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt LANG=C.UTF-8 PORT_BASE="$port_base" \
        setpriv --reuid=$user --regid=$user --init-groups sh -c "cd /$place && $1"
}

# `make run`: until run/env is there, then a look at the fleet, then Ctrl-C.
try_run() {
    began=$(date +%s)
    inside 'exec make run' >"$work/run.log" 2>&1 &
    run=$!
    while [ ! -e "$m/$place/run/env" ]; do
        kill -0 $run 2>/dev/null || { tail -n 20 "$work/run.log"; echo "make run ended"; return 1; }
        [ $(($(date +%s) - began)) -lt 900 ] || { tail -n 20 "$work/run.log"; echo "make run is not ready"; return 1; }
        sleep 1
    done
    echo "[fresh]   make run: ready after $(($(date +%s) - began)) s, packages included"
    inside '/usr/bin/python3 tests/stack/look.py run/env' || return 1
    inside 'kill -INT $(cat run/run.pid)'
    wait $run || true
    left=$(chroot "$m" ps -eo pid,args | grep -E 'mosquitto|postgres|influxd|vigie-|gpsd|car\.py' | grep -vE 'grep|fresh' || true)
    [ -z "$left" ] || { echo "left running: $left"; return 1; }
}

for step in $steps; do
    case $step in
    run) try_run || exit 1 ;;
    *)
        began=$(date +%s)
        log=$work/$(echo "$step" | tr / -).log
        inside "make $step" >"$log" 2>&1 || { tail -n 30 "$log"; exit 1; }
        echo "[fresh]   make $step: $(tail -n 1 "$log"), $(($(date +%s) - began)) s"
        ;;
    esac
done
