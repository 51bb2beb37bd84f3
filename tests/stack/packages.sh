#!/bin/sh
# Installs the Debian packages that are missing: packages.sh run | test | lint
# Through sudo when not root.  Servers installed here are not started: their ports are ours to choose.
set -eu
BUILD="gcc libc6-dev make pkg-config libpaho-mqtt-dev libgps-dev libserialport-dev libsqlite3-dev libjansson-dev libssl-dev
 libcurl4-openssl-dev zlib1g-dev mosquitto-dev libmosquitto-dev libpq-dev libwebsockets-dev libjwt-dev libcrypt-dev uthash-dev"
RUN="$BUILD gpsd mosquitto postgresql influxdb openssl procps util-linux nodejs npm python3"
TEST="$RUN mosquitto-clients libcmocka-dev chromium fonts-dejavu-core curl python3-pytest python3-pytest-xdist python3-psycopg2
 python3-websocket"
LINT="$TEST clang clang-format clang-tidy libclang-rt-dev"

case "${1:-run}" in
build) wanted=$BUILD ;;
run) wanted=$RUN ;;
test) wanted=$TEST ;;
lint) wanted=$LINT ;;
*) echo "usage: $0 build|run|test|lint" >&2; exit 2 ;;
esac

# A node and npm that did not come from Debian serve as well.
if command -v node >/dev/null && command -v npm >/dev/null; then
    wanted=$(echo "$wanted" | sed 's/ nodejs npm / /')
fi
missing=
for package in $wanted; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -q '^installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "[vigie] installing Debian packages:$missing"
if [ "$(id -u)" = 0 ]; then as_root=; else
    command -v sudo >/dev/null || { echo "[vigie] not root and no sudo; as root: apt-get install$missing" >&2; exit 1; }
    as_root=sudo
fi
# While they are installed nothing may start: 1883, 5432, 8086 and 2947 are not asked for.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null && $as_root chmod 755 $policy && made=1
fi
trap '[ -z "$made" ] || $as_root rm -f $policy' EXIT
trap 'exit 130' INT TERM
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $missing >/dev/null || {
    echo "[vigie] apt-get could not install:$missing" >&2
    exit 1
}
