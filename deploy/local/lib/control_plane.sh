# etcd, API server, controller manager, scheduler: processes on loopback, ports chosen free.
# shellcheck shell=bash

pki() {
    local pki=$HEALD_STATE/pki
    [ -e "$pki/sa.pub" ] && return 0
    mkdir -p "$pki"
    chmod 700 "$pki"
    openssl genrsa -out "$pki/sa.key" 2048 2>/dev/null
    openssl rsa -in "$pki/sa.key" -pubout -out "$pki/sa.pub" 2>/dev/null
    local admin heald
    admin=$(openssl rand -hex 16)
    heald=$(openssl rand -hex 16)
    printf '%s,admin,admin,"system:masters"\n%s,heald,heald,"heald"\n' "$admin" "$heald" >"$pki/tokens.csv"
    printf '%s' "$admin" >"$pki/admin.token"
    printf '%s' "$heald" >"$pki/heald.token"
}

# kubeconfig NAME TOKENFILE
kubeconfig() {
    cat >"$HEALD_STATE/$1.kubeconfig" <<KUBECONFIG
apiVersion: v1
kind: Config
current-context: local
clusters:
- name: local
  cluster:
    server: $API_URL
    certificate-authority: "$HEALD_STATE/apiserver/apiserver.crt"
users:
- name: $1
  user:
    tokenFile: "$HEALD_STATE/pki/$2"
contexts:
- name: local
  context:
    cluster: local
    user: $1
KUBECONFIG
}

kubectl() { "$TOOLS/kubectl" --kubeconfig "$HEALD_STATE/admin.kubeconfig" "$@"; }

start_etcd() {
    running etcd >/dev/null && return 0
    launch etcd "$TOOLS/etcd" --data-dir "$HEALD_STATE/etcd" --unsafe-no-fsync \
        --listen-client-urls "http://127.0.0.1:$ETCD_PORT" --advertise-client-urls "http://127.0.0.1:$ETCD_PORT" \
        --listen-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" \
        --initial-cluster "default=http://127.0.0.1:$ETCD_PEER_PORT" --log-level warn
}

start_api_server() {
    running kube-apiserver >/dev/null && return 0
    launch kube-apiserver "$TOOLS/kube-apiserver" --etcd-servers "http://127.0.0.1:$ETCD_PORT" \
        --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$API_PORT" --endpoint-reconciler-type none \
        --cert-dir "$HEALD_STATE/apiserver" --service-cluster-ip-range 10.96.0.0/16 \
        --service-account-issuer https://heald.local --service-account-key-file "$HEALD_STATE/pki/sa.pub" \
        --service-account-signing-key-file "$HEALD_STATE/pki/sa.key" --token-auth-file "$HEALD_STATE/pki/tokens.csv" \
        --authorization-mode RBAC,Node --disable-admission-plugins ServiceAccount \
        --kubelet-preferred-address-types InternalIP --allow-privileged=true
}

api_ready() { curl -fsS --cacert "$HEALD_STATE/apiserver/apiserver.crt" "$API_URL/readyz"; }

start_controllers() {
    running kube-controller-manager >/dev/null ||
        launch kube-controller-manager "$TOOLS/kube-controller-manager" --kubeconfig "$HEALD_STATE/admin.kubeconfig" \
            --leader-elect=false --bind-address 127.0.0.1 --secure-port "$KCM_PORT" --cert-dir "$HEALD_STATE/kcm" \
            --service-account-private-key-file "$HEALD_STATE/pki/sa.key" --concurrent-deployment-syncs 5 \
            --controllers '*,-cloud-node-lifecycle-controller,-persistentvolume-binder-controller'
    running kube-scheduler >/dev/null ||
        launch kube-scheduler "$TOOLS/kube-scheduler" --kubeconfig "$HEALD_STATE/admin.kubeconfig" --leader-elect=false \
            --bind-address 127.0.0.1 --secure-port "$SCHED_PORT" --cert-dir "$HEALD_STATE/scheduler"
}

choose_ports() {
    local name
    for name in ETCD_PORT ETCD_PEER_PORT API_PORT KCM_PORT SCHED_PORT; do
        grep -q "^$name=" "$HEALD_STATE/env" 2>/dev/null || env_set $name "$(free_port)"
    done
    # shellcheck disable=SC1091
    source "$HEALD_STATE/env"
    API_URL=https://127.0.0.1:$API_PORT
    env_set API_URL "$API_URL"
}

control_plane_up() {
    choose_ports
    pki
    start_etcd
    wait_for 30 "etcd answering" curl -fsS "http://127.0.0.1:$ETCD_PORT/health"
    step etcd "127.0.0.1:$ETCD_PORT"
    start_api_server
    kubeconfig admin admin.token
    kubeconfig heald heald.token
    wait_for 60 "the API server being ready (see $HEALD_STATE/log/kube-apiserver.log)" api_ready
    step kube-apiserver "$API_URL"
    start_controllers
    step controllers "controller manager 127.0.0.1:$KCM_PORT, scheduler 127.0.0.1:$SCHED_PORT"
    kubectl apply -f "$HEALD_ROOT/deploy/local/rbac.yaml" >/dev/null
    step kubeconfigs "$HEALD_STATE/{admin,heald}.kubeconfig"
    env_set KUBECONFIG "$HEALD_STATE/admin.kubeconfig"
    env_set HEALD_KUBECONFIG "$HEALD_STATE/heald.kubeconfig"
    env_set KUBECTL "$TOOLS/kubectl"
}

control_plane_down() {
    local name
    for name in kube-scheduler kube-controller-manager kube-apiserver etcd; do finish $name; done
}
