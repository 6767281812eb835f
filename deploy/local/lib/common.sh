# Shared by the commands of deploy/local, deploy/demo and test: where things live, how they speak. Sourced by bash.
# shellcheck shell=bash

set -euo pipefail

HEALD_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
HEALD_CACHE=${HEALD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/heald}
HEALD_STATE=${HEALD_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/heald/local}
# shellcheck disable=SC2034 # for those who source this
TOOLS=$HEALD_CACHE/bin
# shellcheck source=deploy/local/versions
source "$HEALD_ROOT/deploy/local/versions"
# shellcheck source=deploy/local/lib/process.sh
source "$HEALD_ROOT/deploy/local/lib/process.sh"

unset KUBECONFIG || true # every call names its own

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    BOLD=$'\e[1m' DIM=$'\e[2m' PLAIN=$'\e[0m'
else
    BOLD='' DIM='' PLAIN=''
fi

say() { printf '%s\n' "$*"; }
step() { printf '%s%-24s%s %s\n' "$BOLD" "$1" "$PLAIN" "${2:-}"; }
die() {
    printf 'heald: %s\n' "$*" >&2
    exit 1
}
usage() {
    printf 'heald: %s\n' "$*" >&2
    exit 2
}

# Takes `--state DIR` out of its arguments and sets HEALD_STATE; what is left stands in REST.
take_state() {
    REST=()
    while [ $# -gt 0 ]; do
        if [ "$1" = --state ]; then
            [ -n "${2:-}" ] || usage "--state needs a folder"
            HEALD_STATE=$(realpath -m -- "$2")
            shift
        else
            REST+=("$1")
        fi
        shift
    done
    export HEALD_STATE
}

# Runs a command quietly, with a line every 10 s; on failure shows the end of its log.
#   quietly "building kubelet" LOGFILE command...
quietly() {
    local what=$1 log=$2 start=$SECONDS pid
    shift 2
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 &
    pid=$!
    # shellcheck disable=SC2064 # this pid, now
    trap "kill $pid 2>/dev/null; exit 130" INT TERM
    local shown=$start
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS - shown >= 10)); then
            shown=$SECONDS
            printf '%s  ... %s (%d s)%s\n' "$DIM" "$what" $((SECONDS - start)) "$PLAIN"
        fi
    done
    trap - INT TERM
    if ! wait "$pid"; then
        printf 'heald: %s failed after %d s; the end of %s:\n' "$what" $((SECONDS - start)) "$log" >&2
        tail -n 20 "$log" >&2
        return 1
    fi
}

# A TCP port that nobody listens on, below those that the kernel gives to outgoing connections: so a part that is
# restarted finds its port free again.
free_port() {
    python3 -c '
import random, socket
end = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
end = end if end > 12000 else 32768
while True:
    port = random.randrange(10000, end)
    with socket.socket() as s:
        try:
            s.bind(("0.0.0.0", port))
        except OSError:
            continue
    print(port)
    break'
}

# choose_port NAME PART: the variable NAME of the environment file gets a free port, unless it has one and PART listens there.
choose_port() {
    if running "$2" >/dev/null && grep -q "^$1=" "$HEALD_STATE/env"; then
        return 0
    fi
    local had
    had=$(sed -n "s/^$1=//p" "$HEALD_STATE/env" 2>/dev/null || true)
    [ -n "$had" ] && ! (exec 3<>"/dev/tcp/127.0.0.1/$had") 2>/dev/null && return 0
    env_set "$1" "$(free_port)"
}

# wait_for SECONDS "what" command...: until it succeeds.
wait_for() {
    local limit=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || die "$what did not happen within $limit s"
        sleep 0.1
    done
}

# wait_for_part SECONDS PART command...: until it succeeds; gives up at once when the part has ended.
wait_for_part() {
    local limit=$1 part=$2 end=$((SECONDS + $1))
    shift 2
    until "$@" >/dev/null 2>&1; do
        running "$part" >/dev/null || part_failed "$part" "ended by itself"
        ((SECONDS < end)) || part_failed "$part" "was not ready within $limit s"
        sleep 0.1
    done
}

part_failed() {
    printf 'heald: %s %s; the end of %s:\n' "$1" "$2" "$HEALD_STATE/log/$1.log" >&2
    tail -n 10 "$HEALD_STATE/log/$1.log" >&2
    exit 1
}

# Variables for other commands to source: env_set NAME value
env_set() {
    mkdir -p "$HEALD_STATE"
    touch "$HEALD_STATE/env"
    {
        grep -v "^$1=" "$HEALD_STATE/env" || true
        printf '%s=%q\n' "$1" "$2"
    } >"$HEALD_STATE/env.new"
    mv "$HEALD_STATE/env.new" "$HEALD_STATE/env"
}

env_unset() {
    [ -e "$HEALD_STATE/env" ] || return 0
    grep -vE "^($(IFS='|'; echo "$*"))=" "$HEALD_STATE/env" >"$HEALD_STATE/env.new" || true
    mv "$HEALD_STATE/env.new" "$HEALD_STATE/env"
}

env_load() {
    [ -e "$HEALD_STATE/env" ] || die "no world in \"$HEALD_STATE\"; start one by deploy/local/up --state DIR"
    # shellcheck disable=SC1091
    source "$HEALD_STATE/env"
    unset KUBECONFIG || true
}
