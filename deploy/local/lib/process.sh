# Processes of a world: recorded with their start time, so that a recycled pid is never ended, and with their command, so
# that each can be started again alone. Sourced by common.sh.
# shellcheck shell=bash

# The start time of a process that lives; nothing for one that is gone or a zombie.
start_time() { awk '{ sub(/^.*\) /, ""); if ($1 != "Z") print $20 }' "/proc/$1/stat" 2>/dev/null || true; }

# launch NAME command...: in the background, its output in $HEALD_STATE/log/NAME.log
launch() {
    local name=$1
    shift
    mkdir -p "$HEALD_STATE/run"
    printf '%s\0' "$@" >"$HEALD_STATE/run/$name.command"
    relaunch "$name"
}

# relaunch NAME: the same command once more.
relaunch() {
    local name=$1 command=() pid
    [ -e "$HEALD_STATE/run/$name.command" ] || die "\"$name\" was never started in \"$HEALD_STATE\"; started were: $(parts | xargs)"
    mapfile -d '' command <"$HEALD_STATE/run/$name.command"
    mkdir -p "$HEALD_STATE/log"
    setsid "${command[@]}" >>"$HEALD_STATE/log/$name.log" 2>&1 </dev/null &
    pid=$!
    disown
    printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$HEALD_STATE/run/$name.pid"
}

# ensure NAME command...: runs with exactly this command; one that runs with another is ended first. LAUNCHED says whether it ran not yet.
ensure() {
    local name=$1
    shift
    LAUNCHED=
    if running "$name" >/dev/null; then
        if printf '%s\0' "$@" | cmp -s - "$HEALD_STATE/run/$name.command"; then return; fi
        end_process "$name"
    fi
    launch "$name" "$@"
    # shellcheck disable=SC2034 # for callers
    LAUNCHED=1
}

# The names of all parts that were started and not ended.
parts() {
    local file
    for file in "$HEALD_STATE"/run/*.command; do
        [ ! -e "$file" ] || basename "$file" .command
    done
}

# The pid of a launched process that still runs; fails when it does not.
running() {
    local pid started
    read -r pid started 2>/dev/null <"$HEALD_STATE/run/$1.pid" || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] && printf '%s\n' "$pid"
}

# end_process NAME [SECONDS]: SIGTERM, then SIGKILL after some seconds. Its command stays recorded.
end_process() {
    local name=$1 pid end=$((SECONDS + ${2:-5}))
    if pid=$(running "$name"); then
        kill "$pid" 2>/dev/null || true
        kill -CONT "$pid" 2>/dev/null || true
        while running "$name" >/dev/null && ((SECONDS < end)); do sleep 0.05; done
        if running "$name" >/dev/null; then
            kill -9 "$pid" 2>/dev/null || true
            while running "$name" >/dev/null; do sleep 0.05; done
        fi
    fi
    rm -f "$HEALD_STATE/run/$name.pid"
}

# finish NAME [SECONDS]: end it, and forget it.
finish() {
    end_process "$@"
    rm -f "$HEALD_STATE/run/$1.command"
}
