# Prometheus, Alertmanager, the exporter, and the Grafana stand-in.
# shellcheck shell=bash

choose_monitoring_ports() {
    choose_port PROMETHEUS_PORT prometheus
    choose_port ALERTMANAGER_PORT alertmanager
    choose_port EXPORTER_PORT exporter
    choose_port GRAFANA_PORT grafana-stand-in
    env_load
    env_set PROMETHEUS_URL "http://127.0.0.1:$PROMETHEUS_PORT"
    env_set ALERTMANAGER_URL "http://127.0.0.1:$ALERTMANAGER_PORT"
    env_set EXPORTER_URL "http://127.0.0.1:$EXPORTER_PORT"
    env_set GRAFANA_URL "http://127.0.0.1:$GRAFANA_PORT"
    env_set GRAFANA_TOKEN_FILE "$HEALD_STATE/grafana.token"
    env_load
}

# start_exporter KUBECONFIG
start_exporter() {
    ensure exporter "$(readlink -f "$TOOLS/exporter")" --kubeconfig "$1" --listen "127.0.0.1:$EXPORTER_PORT"
    wait_for_part 30 exporter curl -fsS "http://127.0.0.1:$EXPORTER_PORT/metrics"
    step exporter "http://127.0.0.1:$EXPORTER_PORT/metrics (series named as kube-state-metrics')"
}

start_grafana_stand_in() {
    [ -s "$HEALD_STATE/grafana.token" ] ||
        (umask 077 && printf 'glsa_%s_%s' "$(openssl rand -hex 16)" "$(openssl rand -hex 4)" >"$HEALD_STATE/grafana.token")
    ensure grafana-stand-in "$(readlink -f "$TOOLS/grafana-stand-in")" --listen "127.0.0.1:$GRAFANA_PORT" --token-file "$HEALD_STATE/grafana.token" \
        --records "$HEALD_STATE/annotations.json"
    wait_for_part 15 grafana-stand-in curl -fsS "http://127.0.0.1:$GRAFANA_PORT/api/health"
    step grafana-stand-in "http://127.0.0.1:$GRAFANA_PORT (a stand-in: Grafana's own models, not Grafana)"
}

# start_with_config NAME URL command...: one that runs already reads its configuration again.
start_with_config() {
    local name=$1 url=$2
    shift 2
    ensure "$name" "$@"
    [ -n "$LAUNCHED" ] || curl -fsS -X POST "$url/-/reload" >/dev/null || part_failed "$name" "refuses its new configuration"
    wait_for_part 30 "$name" curl -fsS "$url/-/ready"
    step "$name" "$url"
}

# start_alertmanager CONFIG [PROGRAM]: the newest one unless told otherwise (Debian's is prometheus-alertmanager)
start_alertmanager() {
    start_with_config alertmanager "http://127.0.0.1:$ALERTMANAGER_PORT" \
        "${2:-$TOOLS/alertmanager}" --config.file "$1" --storage.path "$HEALD_STATE/alertmanager" \
        --web.listen-address "127.0.0.1:$ALERTMANAGER_PORT" --cluster.listen-address=
}

# start_prometheus CONFIG
start_prometheus() {
    start_with_config prometheus "http://127.0.0.1:$PROMETHEUS_PORT" \
        prometheus --config.file "$1" --storage.tsdb.path "$HEALD_STATE/prometheus" --web.enable-lifecycle \
        --web.listen-address "127.0.0.1:$PROMETHEUS_PORT" --storage.tsdb.retention.time 1d --log.level warn
}

# prometheus_config FILE RULES...: scrapes the exporter, itself and Alertmanager every second; on a real node also the pods
# that ask for it by the annotation prometheus.io/scrape: "true" (their addresses are reachable from this machine).
prometheus_config() {
    local file=$1 rules
    shift
    {
        printf 'global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n'
        printf 'rule_files:%s\n' "$([ $# -gt 0 ] || echo ' []')"
        for rules in "$@"; do printf -- '- "%s"\n' "$(realpath -- "$rules")"; done
        cat <<YAML
alerting:
  alertmanagers: [{ static_configs: [{ targets: ["127.0.0.1:$ALERTMANAGER_PORT"] }] }]
scrape_configs:
- { job_name: kube-state-metrics, honor_labels: true, static_configs: [{ targets: ["127.0.0.1:$EXPORTER_PORT"] }] }
- { job_name: prometheus, static_configs: [{ targets: ["127.0.0.1:$PROMETHEUS_PORT"] }] }
- { job_name: alertmanager, static_configs: [{ targets: ["127.0.0.1:$ALERTMANAGER_PORT"] }] }
YAML
        [ "${NODE_KIND:-}" != real ] ||
            printf -- '- { job_name: pods, http_sd_configs: [{ url: "%s", refresh_interval: 1s }] }\n' "$EXPORTER_URL/targets"
    } >"$file"
}

# alertmanager_config FILE [WEBHOOK_URL [TOKEN_FILE]]: one route; groups of one workload are sent on after a second.
alertmanager_config() {
    {
        cat <<YAML
route: { receiver: heald, group_by: [alertname, namespace], group_wait: 1s, group_interval: 2s, repeat_interval: 1m }
receivers:
- name: heald
YAML
        if [ -n "${2:-}" ]; then
            printf '  webhook_configs:\n  - url: "%s"\n    send_resolved: true\n' "$2"
            [ -z "${3:-}" ] || printf '    http_config: { authorization: { credentials_file: "%s" } }\n' "$(realpath -- "$3")"
        fi
    } >"$1"
}

monitoring_down() {
    local name
    for name in prometheus alertmanager exporter grafana-stand-in; do finish $name; done
}
