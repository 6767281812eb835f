#!/bin/bash
# test/unit/purity.sh LIBRARY SOURCES - is the core pure? Looks at the object files of librules.a and at the sources of rules/:
#   1. every symbol from outside is on the list below: no clock, no thread, no file, no socket, no environment, no random number
#   2. no variable that could be written to: state is an argument
#   3. rules/ includes its own headers and a few of libc and the libraries, nothing else
# Prints one line for every violation. Exit: 0 pure, 1 not, 2 wrong call, 77 cannot be checked.
set -u -o pipefail
export LC_ALL=C

if [ $# -ne 2 ] || [ ! -f "$1" ] || [ ! -d "$2" ]; then echo "usage: purity.sh LIBRARY SOURCES" >&2; exit 2; fi
library=$1 sources=$2
for tool in nm objdump awk; do
    command -v $tool >/dev/null || { echo "SKIPPED $tool is not installed"; exit 77; }
done

# Extended regular expressions, each for a whole symbol. Add only functions whose result depends on their arguments alone.
pure_symbols='
mem(cpy|move|set|cmp|chr|rchr|mem) mempcpy bcmp
str(len|nlen|cmp|ncmp|casecmp|ncasecmp|chr|chrnul|rchr|spn|cspn|pbrk|str|casestr|tok_r|dup|ndup|cpy|ncpy|cat|ncat) stpcpy
malloc calloc realloc reallocarray free aligned_alloc
v?snprintf v?asprintf __isoc99_sscanf
(__isoc[0-9]+_)?strto(l|ll|ul|ull|d|f|imax|umax) atoi
qsort qsort_r bsearch
__ctype_(b|tolower|toupper)_loc is(alnum|alpha|blank|cntrl|digit|graph|lower|print|punct|space|upper|xdigit) to(lower|upper)
__errno_location
(floor|ceil|round|trunc|fabs|fmod|sqrt|pow|exp|log|log2|log10|llround|lround|isnan|isinf)f?
_?setjmp longjmp
__assert_fail __stack_chk_fail
__(mem|str|stp|v?snprintf|v?asprintf|longjmp)[a-z]*_chk
_GLOBAL_OFFSET_TABLE_
__(asan|ubsan|tsan|lsan|sanitizer)_.*
yajl_.*
config_(init|destroy|clear|read_string|lookup.*|setting_.*|set_.*|get_.*|root_setting|error_.*)
'
# C++ only: RE2, strings, allocation, exceptions.
pure_cxx_symbols='
_ZNK?3re2.* _Zn[wa].* _Zd[la].* _ZTI.* _ZTV.* _ZNK?St7__cxx1112basic_string.* _ZSt[0-9]+__throw_.* _ZSt9terminatev
_Unwind_Resume __gxx_personality_v0 __cxa_.* __clang_call_terminate
'
pure_headers='
assert ctype errno float inttypes limits math setjmp stdalign stdarg stdbool stddef stdint stdio stdlib string strings
yajl/.* libconfig uthash utlist utarray utstring
re2/.* cstring string new memory vector utility
'
as_regex() { tr -s ' \n' '||' <<<"$1" | sed -e 's/^|*/^(/' -e 's/|*$/)$/'; }

violations=0
# Every line of standard input is a violation.
report() {
    local line
    while IFS= read -r line; do
        echo "purity: $line"
        violations=$((violations + 1))
    done
}

foreign_symbols() {
    { nm --defined-only "$library" | awk 'NF == 3 { print "defined", $3 }'
      nm -A --undefined-only "$library" | awk '{ match($0, /:[^:]+\.o:/); print "undefined", $NF, substr($0, RSTART + 1, RLENGTH - 2) }'
    } | awk -v pure="$(as_regex "$pure_symbols")" -v cxx="$(as_regex "$pure_cxx_symbols")" '
        $1 == "defined" { defined[$2] = 1; next }
        $2 in defined || $2 ~ pure || ($3 ~ /\.cc\.o$/ && $2 ~ cxx) { next }
        { print $3 " uses \"" $2 "\", which is not on the list of pure functions" }'
}

# Tables of constant pointers are in .data.rel.ro: the loader makes them read-only.
variables() {
    objdump -t "$library" | awk '
        /file format/ { object = $1; sub(/:$/, "", object); next }
        / (\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ {
            kind = substr($0, 18, 7)
            if ($0 ~ / \.data\.rel\.ro/ || kind !~ /O/ && $0 !~ /\*COM\*/ && $0 !~ / \.t(data|bss)/ || kind ~ /d/)
                next
            if ($NF !~ /^(DW\.ref\.|__unnamed_[0-9]+$)/) # C++ exceptions; the table of globals for ASan
                print object " has the variable \"" $NF "\": state belongs into an argument"
        }'
}

foreign_headers() {
    grep -rHnE '^[[:space:]]*#[[:space:]]*include' "$sources" --include='*.c' --include='*.h' --include='*.cc' |
        awk -v pure="$(as_regex "$pure_headers")" '{
            file = $0; sub(/:[^:]*#.*/, "", file)
            header = $0; sub(/.*include[[:space:]]*[<"]/, "", header); sub(/[>"].*/, "", header)
            if (header ~ /^rules\//)
                next
            name = header; sub(/\.h$/, "", name)
            if ($0 ~ /include[[:space:]]*"/ || name !~ pure)
                print file " includes \"" header "\""
        }'
}

# An archive that cannot be read must not pass as a pure one.
nm "$library" >/dev/null || { echo "purity: cannot read $library"; exit 1; }
report < <(foreign_symbols)
report < <(variables)
report < <(foreign_headers)
objects=$(nm "$library" | grep -c '\.o:$')
[ "$objects" -gt 0 ] || { echo "purity: $library has no objects"; exit 1; }
if [ $violations -gt 0 ]; then
    echo "purity: $violations violations in $objects objects"
    exit 1
fi
echo "pure: $objects objects"
