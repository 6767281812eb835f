#!/bin/bash
# test/unit/purity_test.sh PURITY CC - purity.sh finds what it is meant to find: plants one violation after the other.
set -u
purity=$1 cc=$2
command -v ar >/dev/null || { echo "SKIPPED ar is not installed"; exit 77; }
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
dir="$top/a folder"
mkdir "$dir"
failures=0

# expect 0|1 TEXT SOURCE: the exit code and a part of the output for a library made of SOURCE
expect() {
    local want=$1 text=$2 source=$3 output code
    rm -rf "$dir/src" "$dir/lib.a"
    mkdir "$dir/src"
    printf '%s\n' "$source" >"$dir/src/planted.c"
    "$cc" -w -fPIE -D_GNU_SOURCE -c "$dir/src/planted.c" -o "$dir/planted.c.o" && ar rc "$dir/lib.a" "$dir/planted.c.o" || exit 1
    output=$(bash "$purity" "$dir/lib.a" "$dir/src")
    code=$?
    if [ $code -ne "$want" ] || [[ $output != *"$text"* ]]; then
        echo "FAIL wanted exit $want and '$text', got exit $code and '$output' for: $source"
        failures=$((failures + 1))
    else
        echo "ok   $output"
    fi
}

expect 0 'pure: 1 objects' '#include <string.h>
static const char *const table[] = { "a", "b" };
const char *f(int i); unsigned long g(const char *s);
const char *f(int i) { return table[i]; }
unsigned long g(const char *s) { return strlen(s); }'
for call in 'clock_gettime(0, 0)' 'time(0)' 'pthread_create(0, 0, 0, 0)' 'open("a", 0)' 'fopen("a", "r")' 'socket(1, 1, 1)' \
    'getenv("A")' 'rand()' 'random()' 'getrandom(0, 0, 0)' 'printf("%d", 1)' 'exit(1)' 'usleep(1)' 'localtime(0)' \
    'config_read_file(0, 0)' 'setlocale(0, 0)'; do
    expect 1 "\"${call%%(*}\", which is not on the list" "int ${call%%(*}(); int f(void); int f(void) { return ${call%%(*}(${call#*(}; }"
done
expect 1 'counter' 'int f(void); int f(void) { static int counter; return ++counter; }'
expect 1 'counter' 'int f(void); int f(void) { static int counter = 5; return ++counter; }'
expect 1 'variable "counter' 'int counter;'
expect 1 'variable "counter' 'int counter = 1;'
expect 1 'variable "counter' 'int counter __attribute__((common));'
expect 1 'variable "counter' '_Thread_local int counter;'
expect 1 'variable "table' 'const char *table[] = { "a" };'
expect 1 'includes "unistd.h"' '#include <unistd.h>'
expect 1 'includes "time.h"' ' # include <time.h>'
expect 1 'includes "stdio.h"' '#include "stdio.h"'
expect 1 'planted.c:1 includes "pthread.h"' '#include <pthread.h>'

# What C++ needs is pure in an object made of C++, and only there.
rm -f "$dir/src/planted.c"
echo 'int *f(); int *f() { return new int; }' >"$dir/planted.cc"
"$cc" -x c++ -w -fPIE -c "$dir/planted.cc" -o "$dir/planted.cc.o" && rm -f "$dir/lib.a" && ar rc "$dir/lib.a" "$dir/planted.cc.o" || exit 1
bash "$purity" "$dir/lib.a" "$dir/src" >/dev/null || { echo "FAIL C++'s own functions are refused"; failures=$((failures + 1)); }
expect 1 '"_Znwm", which is not on the list' 'void *_Znwm(unsigned long); void *f(void); void *f(void) { return _Znwm(1); }'

mkdir -p "$dir/src"
echo 'not an archive' >"$dir/lib.a"
bash "$purity" "$dir/lib.a" "$dir/src" >/dev/null 2>&1 && { echo "FAIL a file that is no archive passed"; failures=$((failures + 1)); }
printf '!<arch>\n' >"$dir/lib.a"
bash "$purity" "$dir/lib.a" "$dir/src" >/dev/null 2>&1 && { echo "FAIL an empty archive passed"; failures=$((failures + 1)); }
bash "$purity" >/dev/null 2>&1 && { echo "FAIL a call without arguments passed"; failures=$((failures + 1)); }
[ $failures -eq 0 ]
