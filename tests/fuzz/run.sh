#!/bin/sh
# tests/fuzz/run.sh BUILD [WORD]: every fuzzer in BUILD/fuzz for FUZZ_SECONDS, a table last; 1 when one found something.
# Corpora grow in BUILD/corpus; seeds and a dictionary stand beside the target: ROOM/seeds/TARGET/, ROOM/ROOM.dict.
set -u
build=$1 word=${2:-} seconds=${FUZZ_SECONDS:-60} failed=0
table=$(mktemp) && trap 'rm -f "$table"' EXIT

for target in "$build"/fuzz/*/*; do
    name=${target#"$build"/fuzz/} room=$(basename "$(dirname "$target")")
    case $name in *"$word"*) ;; *) continue ;; esac
    [ -x "$target" ] || continue
    corpus=$build/corpus/$name found=$build/found/$name log=$build/log/$name.log
    seeds=tests/fuzz/$room/seeds/${target##*/} dict=tests/fuzz/$room/$room.dict
    mkdir -p "$corpus" "$found" "${log%/*}"
    [ -d "$seeds" ] || seeds=
    [ -f "$dict" ] && dict=-dict=$dict || dict=
    printf '%s for %s s ... ' "$name" "$seconds"
    # shellcheck disable=SC2086
    if "$target" -max_total_time="$seconds" -print_final_stats=1 -timeout=5 -rss_limit_mb=1024 -max_len=40000 $dict \
        -artifact_prefix="$found/" "$corpus" $seeds >"$log" 2>&1; then word_out=ok
    else word_out=FOUND failed=1; fi
    echo $word_out
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    cover=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    printf '%-24s %12s %8s %8s  %s\n' "$name" "${runs:--}" "${cover:--}" "$(find "$corpus" -type f | wc -l)" \
        "$([ $word_out = ok ] && echo ok || echo "FOUND: $log, inputs in $found")" >>"$table"
done
printf '\n%-24s %12s %8s %8s\n' target runs edges corpus
cat "$table"
exit $failed
