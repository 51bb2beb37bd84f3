#!/bin/sh
# tests/bench/run.sh BUILD [WORD]: every program in BUILD/bench and every tests/bench/*/run.py; a row is what | case | unit | ours | beside it | ratio | note.
set -eu
build=$1 word=${2:-}
echo "$(uname -m), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg), $(. /etc/os-release && echo "$PRETTY_NAME"), median (least .. most)"
{
    echo 'bench|case|unit|ours|beside it|ratio|note'
    for bench in "$build"/bench/*; do
        [ -x "$bench" ] || continue
        case $bench in *"$word"*) "$bench" ;; esac
    done
    for bench in tests/bench/*/run.py; do
        case $bench in *"$word"*) "${PYTHON:-/usr/bin/python3}" "$bench" "$build" ;; esac
    done
} | awk -F'|' '{ line[NR] = $0; for (i = 1; i <= NF; i++) if (length($i) > width[i]) width[i] = length($i) }
    END { for (n = 1; n <= NR; n++) { count = split(line[n], cell, "|")
          for (i = 1; i <= count; i++) printf "%-*s%s", width[i], cell[i], i < count ? "  " : "\n" } }'
