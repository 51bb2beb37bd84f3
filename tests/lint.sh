#!/bin/sh
# Style and rooms: CHECK="house format ..." runs a part, FILES="vehicle/*.c" limits format and tidy.
#   house   rooms, lengths, generated tables, places, pages, Python, shell: tests/house.py
#   format  .clang-format          warnings   gcc and clang, everything and the unit tests, into build-lint-*/
#   tidy    .clang-tidy            shell      shellcheck, where it is installed
set -u
cd "$(dirname "$0")/.." || exit 1
failed=
check=${CHECK:-house format warnings tidy shell}
files=${FILES:-}
sources=$(git ls-files -co --exclude-standard '*.c' '*.h' | while read -r f; do [ -f "$f" ] && echo "$f"; done)

house() { /usr/bin/python3 tests/house.py; }

format() {
    # shellcheck disable=SC2086
    wrong=$(clang-format --dry-run -Werror ${files:-$sources} 2>&1 | sed -n 's/^\([^:]*\):\([0-9]*\):.*clang-format.*/\1:\2/p')
    [ -z "$wrong" ] && return
    echo "$wrong" | cut -d: -f1 | uniq -c | sed 's/^ *\([0-9]*\) \(.*\)/\2: \1 places are laid out otherwise; make format/'
    return 1
}

# -Werror, in a folder of its own, so that a warning once seen is not lost with the next build.
warnings() {
    for cc in gcc clang; do
        nice make --no-print-directory -k -j2 CC=$cc B=build-lint-$cc CFLAGS='-g -Werror' all unit >build-lint-$cc.log 2>&1 ||
            { grep -E '(warning|error|Error):? ' build-lint-$cc.log | sort -u | head -n 50; echo "$cc: see build-lint-$cc.log"; bad=1; }
    done
    return ${bad:-0}
}

tidy() {
    postgres=$(pg_config --includedir)
    make --no-print-directory -s build/gen/migrations.inc || return 1
    for f in ${files:-$sources}; do
        case $f in tests/* | *.h | dashboard/*) ;; *) echo "$f" ;; esac
    done | nice xargs -P2 -n4 sh -c '
        for f in "$@"; do
            case $f in proto/status.c) first= ;; *) first="-include tests/analyzer.h" ;; esac
            clang-tidy --quiet "$f" -- -std=c17 -I. -Ibuild/gen $first -D_GNU_SOURCE -DVIGIE_VERSION="\"\"" -DVIGIE_REVISION="\"\"" \
                -I'"$postgres"' 2>/dev/null || bad=1
        done
        exit ${bad:-0}' tidy
}

shell() {
    command -v shellcheck >/dev/null || { echo "no shellcheck here"; return 0; }
    git ls-files '*.sh' .ci/run | xargs shellcheck
}

for one in $check; do
    began=$(date +%s)
    if "$one"; then word='ok    '; else word=FAILED; failed="$failed $one"; fi
    echo "$word $one  $(($(date +%s) - began)) s"
done
[ -z "$failed" ] || { echo "lint failed:$failed"; exit 1; }
echo "lint passed"
