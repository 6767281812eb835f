# Prometheus, Alertmanager, the exporter, and the Grafana stand-in.
# shellcheck shell=bash

choose_monitoring_ports() {
    local name
    for name in PROMETHEUS_PORT ALERTMANAGER_PORT EXPORTER_PORT GRAFANA_PORT; do
        grep -q "^$name=" "$HEALD_STATE/env" 2>/dev/null || env_set $name "$(free_port)"
    done
    # shellcheck disable=SC1091
    source "$HEALD_STATE/env"
    env_set PROMETHEUS_URL "http://127.0.0.1:$PROMETHEUS_PORT"
    env_set ALERTMANAGER_URL "http://127.0.0.1:$ALERTMANAGER_PORT"
    env_set EXPORTER_URL "http://127.0.0.1:$EXPORTER_PORT"
    env_set GRAFANA_URL "http://127.0.0.1:$GRAFANA_PORT"
    env_set GRAFANA_TOKEN_FILE "$HEALD_STATE/grafana.token"
}

# start_exporter KUBECONFIG
start_exporter() {
    running exporter >/dev/null || launch exporter "$TOOLS/exporter" --kubeconfig "$1" --listen "127.0.0.1:$EXPORTER_PORT"
    wait_for 30 "the exporter answering" curl -fsS "http://127.0.0.1:$EXPORTER_PORT/metrics"
    step exporter "http://127.0.0.1:$EXPORTER_PORT/metrics (series named as kube-state-metrics')"
}

start_grafana_stand_in() {
    [ -s "$HEALD_STATE/grafana.token" ] || printf 'glsa_%s_%s' "$(openssl rand -hex 16)" "$(openssl rand -hex 4)" >"$HEALD_STATE/grafana.token"
    running grafana-stand-in >/dev/null ||
        launch grafana-stand-in "$TOOLS/grafana-stand-in" --listen "127.0.0.1:$GRAFANA_PORT" --token-file "$HEALD_STATE/grafana.token" \
            --records "$HEALD_STATE/annotations.json"
    wait_for 15 "the Grafana stand-in answering" curl -fsS "http://127.0.0.1:$GRAFANA_PORT/api/health"
    step grafana-stand-in "http://127.0.0.1:$GRAFANA_PORT (a stand-in: Grafana's own models, not Grafana)"
}

# start_alertmanager CONFIG [PROGRAM]: the newest one unless told otherwise (Debian's is prometheus-alertmanager)
start_alertmanager() {
    running alertmanager >/dev/null ||
        launch alertmanager "${2:-$TOOLS/alertmanager}" --config.file "$1" --storage.path "$HEALD_STATE/alertmanager" \
            --web.listen-address "127.0.0.1:$ALERTMANAGER_PORT" --cluster.listen-address=
    wait_for 15 "Alertmanager being ready" curl -fsS "http://127.0.0.1:$ALERTMANAGER_PORT/-/ready"
    step alertmanager "http://127.0.0.1:$ALERTMANAGER_PORT"
}

# start_prometheus CONFIG
start_prometheus() {
    running prometheus >/dev/null ||
        launch prometheus prometheus --config.file "$1" --storage.tsdb.path "$HEALD_STATE/prometheus" --web.enable-lifecycle \
            --web.listen-address "127.0.0.1:$PROMETHEUS_PORT" --storage.tsdb.retention.time 1d --log.level warn
    wait_for 30 "Prometheus being ready" curl -fsS "http://127.0.0.1:$PROMETHEUS_PORT/-/ready"
    step prometheus "http://127.0.0.1:$PROMETHEUS_PORT"
}

monitoring_down() {
    local name
    for name in prometheus alertmanager exporter grafana-stand-in; do finish $name; done
}
