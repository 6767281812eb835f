#!/bin/bash
# test/unit/libraries.sh PROGRAM DOCUMENT - does PROGRAM need only shared libraries that DOCUMENT lists in its block "needed"?
set -euo pipefail
export LC_ALL=C
if [ $# -ne 2 ] || [ ! -f "$1" ] || [ ! -f "$2" ]; then echo "usage: libraries.sh PROGRAM DOCUMENT" >&2; exit 2; fi
command -v readelf >/dev/null || { echo "SKIPPED readelf is not installed"; exit 77; }

listed=" $(awk '/^```$/ { inside = 0 } inside; /^```needed$/ { inside = 1 }' "$2" | tr '\n' ' ') "
count=0 failures=0
while read -r library; do
    count=$((count + 1))
    [[ $listed == *" $library "* ]] && continue
    echo "libraries: $1 needs $library, which $2 does not list"
    failures=$((failures + 1))
done < <(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*\]/\1/p')
[ $count -gt 0 ] || { echo "libraries: $1 needs no shared library at all: it is not what it should be"; exit 1; }
[ $failures = 0 ] && echo "$count libraries, all of them listed"
