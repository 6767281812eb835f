# Shared by the commands of deploy/local and test: where things live, how they speak. Sourced by bash.
# shellcheck shell=bash

set -euo pipefail

HEALD_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
HEALD_CACHE=${HEALD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/heald}
HEALD_STATE=${HEALD_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/heald/local}
TOOLS=$HEALD_CACHE/bin
# shellcheck source=deploy/local/versions
source "$HEALD_ROOT/deploy/local/versions"

# etcd and friends look at these
unset KUBECONFIG || true

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    BOLD=$'\e[1m' DIM=$'\e[2m' PLAIN=$'\e[0m'
else
    BOLD='' DIM='' PLAIN=''
fi

say() { printf '%s\n' "$*"; }
step() { printf '%s%-22s%s %s\n' "$BOLD" "$1" "$PLAIN" "${2:-}"; }
die() {
    printf 'heald: %s\n' "$*" >&2
    exit 1
}

# Run a command quietly, with a line every 10 s; on failure show the end of its log.
#   quietly "building kubelet" LOGFILE command...
quietly() {
    local what=$1 log=$2 start=$SECONDS pid
    shift 2
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 &
    pid=$!
    local shown=$start
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS - shown >= 10)); then
            shown=$SECONDS
            printf '%s  ... %s (%d s)%s\n' "$DIM" "$what" $((SECONDS - start)) "$PLAIN"
        fi
    done
    if ! wait "$pid"; then
        printf 'heald: %s failed after %d s; the end of %s:\n' "$what" $((SECONDS - start)) "$log" >&2
        tail -n 20 "$log" >&2
        return 1
    fi
}

# A TCP port that nobody listens on.
free_port() {
    python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for SECONDS "what" command...: until it succeeds.
wait_for() {
    local limit=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || die "$what did not happen within $limit s"
        sleep 0.2
    done
}

# ---- processes: recorded with their start time, so that a recycled pid is never ended ----

start_time() { awk '{ sub(/^.*\) /, ""); print $20 }' "/proc/$1/stat" 2>/dev/null; }

# launch NAME command...: in the background, its output in $HEALD_STATE/log/NAME.log
launch() {
    local name=$1
    shift
    mkdir -p "$HEALD_STATE/run" "$HEALD_STATE/log"
    setsid "$@" >>"$HEALD_STATE/log/$name.log" 2>&1 </dev/null &
    local pid=$!
    disown
    printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$HEALD_STATE/run/$name.pid"
}

# The pid of a launched process that still runs; fails when it does not.
running() {
    local pid started
    read -r pid started 2>/dev/null <"$HEALD_STATE/run/$1.pid" || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] && printf '%s\n' "$pid"
}

# End a launched process: SIGTERM, then SIGKILL after some seconds.
finish() {
    local name=$1 pid end=$((SECONDS + ${2:-5}))
    if pid=$(running "$name"); then
        kill "$pid" 2>/dev/null || true
        while running "$name" >/dev/null && ((SECONDS < end)); do sleep 0.1; done
        if running "$name" >/dev/null; then kill -9 "$pid" 2>/dev/null || true; fi
    fi
    rm -f "$HEALD_STATE/run/$name.pid"
}

# Variables for other commands to source: env_set NAME value
env_set() {
    mkdir -p "$HEALD_STATE"
    touch "$HEALD_STATE/env"
    { grep -v "^$1=" "$HEALD_STATE/env" || true; printf '%s=%q\n' "$1" "$2"; } >"$HEALD_STATE/env.new"
    mv "$HEALD_STATE/env.new" "$HEALD_STATE/env"
}
