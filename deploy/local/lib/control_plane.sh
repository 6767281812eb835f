# etcd, API server, controller manager, scheduler: processes on loopback, ports chosen free.
# shellcheck shell=bash

# Tokens of the administrator and of heald's own user, and the key pair that signs service accounts' tokens.
credentials() {
    local pki=$HEALD_STATE/pki
    [ -e "$pki/sa.pub" ] && return 0
    mkdir -p "$pki"
    chmod 700 "$pki"
    local admin heald
    admin=$(openssl rand -hex 16)
    heald=$(openssl rand -hex 16)
    printf '%s,admin,admin,"system:masters"\n%s,heald,heald,"heald"\n' "$admin" "$heald" >"$pki/tokens.csv"
    printf '%s' "$admin" >"$pki/admin.token"
    printf '%s' "$heald" >"$pki/heald.token"
    openssl genrsa -out "$pki/sa.key" 2048 2>/dev/null
    openssl rsa -in "$pki/sa.key" -pubout -out "$pki/sa.pub" 2>/dev/null
}

# kubeconfig USER
kubeconfig() {
    cat >"$HEALD_STATE/$1.kubeconfig" <<KUBECONFIG
apiVersion: v1
kind: Config
current-context: heald-local
clusters:
- name: heald-local
  cluster:
    server: $API_URL
    certificate-authority: "$HEALD_STATE/apiserver/apiserver.crt"
users:
- name: $1
  user:
    tokenFile: "$HEALD_STATE/pki/$1.token"
contexts:
- name: heald-local
  context:
    cluster: heald-local
    user: $1
KUBECONFIG
}

kubectl() { "$TOOLS/kubectl" --kubeconfig "$HEALD_STATE/admin.kubeconfig" "$@"; }

start_etcd() {
    ensure etcd "$TOOLS/etcd" --data-dir "$HEALD_STATE/etcd" --unsafe-no-fsync \
        --listen-client-urls "http://127.0.0.1:$ETCD_PORT" --advertise-client-urls "http://127.0.0.1:$ETCD_PORT" \
        --listen-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" \
        --initial-cluster "default=http://127.0.0.1:$ETCD_PEER_PORT" --log-level warn
    wait_for_part 30 etcd curl -fsS "http://127.0.0.1:$ETCD_PORT/health"
    step etcd "http://127.0.0.1:$ETCD_PORT"
}

api_ready() { curl -fsS --cacert "$HEALD_STATE/apiserver/apiserver.crt" "$API_URL/readyz"; }

start_api_server() {
    ensure kube-apiserver "$TOOLS/kube-apiserver" --etcd-servers "http://127.0.0.1:$ETCD_PORT" \
        --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$API_PORT" --endpoint-reconciler-type none \
        --cert-dir "$HEALD_STATE/apiserver" --service-cluster-ip-range 10.96.0.0/16 \
        --service-account-issuer https://heald.local --service-account-key-file "$HEALD_STATE/pki/sa.pub" \
        --service-account-signing-key-file "$HEALD_STATE/pki/sa.key" --token-auth-file "$HEALD_STATE/pki/tokens.csv" \
        --authorization-mode RBAC,Node --disable-admission-plugins ServiceAccount \
        --kubelet-preferred-address-types InternalIP --allow-privileged=true
    wait_for_part 60 kube-apiserver api_ready
    step kube-apiserver "$API_URL"
}

start_controllers() {
    ensure kube-controller-manager "$TOOLS/kube-controller-manager" --kubeconfig "$HEALD_STATE/admin.kubeconfig" \
        --leader-elect=false --bind-address 127.0.0.1 --secure-port "$CONTROLLER_MANAGER_PORT" --cert-dir "$HEALD_STATE/controller-manager" \
        --service-account-private-key-file "$HEALD_STATE/pki/sa.key" \
        --controllers '*,-cloud-node-lifecycle-controller,-persistentvolume-binder-controller'
    ensure kube-scheduler "$TOOLS/kube-scheduler" --kubeconfig "$HEALD_STATE/admin.kubeconfig" --leader-elect=false \
        --bind-address 127.0.0.1 --secure-port "$SCHEDULER_PORT" --cert-dir "$HEALD_STATE/scheduler"
    wait_for_part 30 kube-controller-manager curl -fsSk "https://127.0.0.1:$CONTROLLER_MANAGER_PORT/healthz"
    wait_for_part 30 kube-scheduler curl -fsSk "https://127.0.0.1:$SCHEDULER_PORT/healthz"
    step kube-controller-manager "https://127.0.0.1:$CONTROLLER_MANAGER_PORT"
    step kube-scheduler "https://127.0.0.1:$SCHEDULER_PORT"
}

choose_control_plane_ports() {
    choose_port ETCD_PORT etcd
    choose_port ETCD_PEER_PORT etcd
    choose_port API_PORT kube-apiserver
    choose_port CONTROLLER_MANAGER_PORT kube-controller-manager
    choose_port SCHEDULER_PORT kube-scheduler
    env_load
    API_URL=https://127.0.0.1:$API_PORT
    env_set API_URL "$API_URL"
}

control_plane_up() {
    choose_control_plane_ports
    credentials
    start_etcd
    start_api_server
    kubeconfig admin
    kubeconfig heald
    start_controllers
    kubectl apply -f "$HEALD_ROOT/deploy/local/rbac.yaml" >/dev/null
    env_set KUBECONFIG "$HEALD_STATE/admin.kubeconfig"
    env_set HEALD_KUBECONFIG "$HEALD_STATE/heald.kubeconfig"
    env_set API_ADMIN_TOKEN_FILE "$HEALD_STATE/pki/admin.token"
    env_set API_HEALD_TOKEN_FILE "$HEALD_STATE/pki/heald.token"
    env_set API_CA_FILE "$HEALD_STATE/apiserver/apiserver.crt"
    env_set KUBECTL "$TOOLS/kubectl"
    step kubeconfigs "$HEALD_STATE/admin.kubeconfig, $HEALD_STATE/heald.kubeconfig"
}

# The API server would wait for watches of others to end by themselves; nobody needs that here.
control_plane_down() {
    finish kube-scheduler
    finish kube-controller-manager
    finish kube-apiserver 2
    finish etcd
}
