#!/bin/sh
# `make fresh`: the README's commands in a bare Debian, made by debootstrap with git, make, sudo and certificates only.
#   FRESH="bookworm:root bookworm:user trixie:root trixie:user"   which machines, one after the other
#   FRESH_STEPS="run test"                                        which commands
#   FRESH_CACHE=folder                                            keeps the bare systems (0.25 GB each)
# Needs root, debootstrap and unshare.  Each machine is an overlay that is thrown away; the network is this machine's.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${FRESH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vigie-fresh}
[ "$(id -u)" = 0 ] || { echo "make fresh needs root: it makes a system in a folder" >&2; exit 1; }
for tool in debootstrap unshare; do
    command -v $tool >/dev/null || { echo "make fresh needs $tool: apt-get install debootstrap util-linux" >&2; exit 1; }
done

bare() {
    [ -e "$cache/$1/ready" ] && return
    echo "[fresh] making a bare $1"
    rm -rf "$cache/$1"
    mkdir -p "$cache/$1"
    debootstrap --variant=minbase --include=ca-certificates,git,make,sudo "$1" "$cache/$1/root" >"$cache/$1/log" 2>&1 ||
        { echo "[fresh] debootstrap failed, see $cache/$1/log" >&2; exit 1; }
    touch "$cache/$1/ready"
}

failed=0
for machine in ${FRESH:-bookworm:root bookworm:user trixie:root trixie:user}; do
    suite=${machine%:*} who=${machine#*:}
    bare "$suite"
    work=$(mktemp -d "$cache/machine.XXXXXX")
    mkdir "$work/upper" "$work/work" "$work/root"
    echo "[fresh] $suite as $who"
    # The folder may itself lie on an overlay, which cannot be an overlay's upper layer: then a tmpfs can.
    if unshare --mount --pid --fork --kill-child sh "$root/tests/stack/fresh-inside.sh" "$cache/$suite/root" "$work" "$root" \
        "$who" "${FRESH_STEPS:-run test}" "${PORT_BASE:-0}"; then
        echo "[fresh] $suite as $who: fine"
    else
        echo "[fresh] $suite as $who: FAILED"
        failed=1
    fi
    rm -rf "$work"
done
exit $failed
