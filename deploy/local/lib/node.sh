# A real node: containerd, runc, a CNI bridge, kubelet. One per machine. Where that cannot be had, kwok simulates node and pods.
# shellcheck shell=bash

BRIDGE=heald0
BRIDGE_IP=10.244.0.1
NODE_NAME=heald-node

node_possible() { [ "$(id -u)" = 0 ] && command -v containerd >/dev/null && [ -w /sys/fs/cgroup ]; }

ctr() { command ctr -a "$HEALD_STATE/containerd/containerd.sock" -n k8s.io "$@"; }

containerd_config() {
    local c=$HEALD_STATE/containerd
    mkdir -p "$c" "$HEALD_STATE/cni"
    cat >"$c/config.toml" <<TOML
version = 2
root = "$c/root"
state = "$c/state"
[grpc]
  address = "$c/containerd.sock"
[debug]
  level = "warn"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "heald.local/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "$HEALD_STATE/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
TOML
    cat >"$HEALD_STATE/cni/10-heald.conflist" <<JSON
{ "cniVersion": "0.4.0", "name": "heald", "plugins": [
  { "type": "bridge", "bridge": "$BRIDGE", "isGateway": true, "isDefaultGateway": true, "hairpinMode": true,
    "ipam": { "type": "host-local", "dataDir": "$HEALD_STATE/cni-ipam", "ranges": [[{ "subnet": "10.244.0.0/24" }]] } } ] }
JSON
}

kubelet_config() {
    mkdir -p "$HEALD_STATE/kubelet"
    cat >"$HEALD_STATE/kubelet/config.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $BRIDGE_IP
port: $KUBELET_PORT
healthzPort: 0
authentication:
  anonymous: { enabled: true }
  webhook: { enabled: false }
authorization: { mode: AlwaysAllow }
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
evictionHard: {}
makeIPTablesUtilChains: false
containerRuntimeEndpoint: "unix://$HEALD_STATE/containerd/containerd.sock"
maxPods: 110
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusReportFrequency: 30s
serializeImagePulls: false
syncFrequency: 5s
YAML
}

bridge_up() {
    ip link show $BRIDGE >/dev/null 2>&1 || ip link add $BRIDGE type bridge
    ip addr show dev $BRIDGE | grep -q "$BRIDGE_IP/" || ip addr add $BRIDGE_IP/24 dev $BRIDGE
    ip link set $BRIDGE up
    sysctl -qw net.ipv4.ip_forward=1 2>/dev/null || echo 1 >/proc/sys/net/ipv4/ip_forward
}

# The sandbox's own image: Debian's static busybox, asleep.
pause_image() {
    local tar=$HEALD_STATE/pause.tar
    ctr images ls -q 2>/dev/null | grep -q '^heald.local/pause:1$' && return 0
    "$HEALD_ROOT/deploy/local/image" "$tar" heald.local/pause:1 '["/bin/busybox","sleep","2147483647"]' /bin/busybox=/bin/busybox
    ctr images import "$tar" >/dev/null
}

real_node_up() {
    local owner
    owner=$(cat /run/heald-node 2>/dev/null || true)
    if [ -n "$owner" ] && [ "$owner" != "$HEALD_STATE" ] && HEALD_STATE=$owner running kubelet >/dev/null; then
        die "another world runs the node of this machine: end it first by deploy/local/down --state $owner"
    fi
    echo "$HEALD_STATE" >/run/heald-node
    bridge_up
    containerd_config
    running containerd >/dev/null || launch containerd containerd --config "$HEALD_STATE/containerd/config.toml"
    wait_for 30 "containerd answering" ctr version
    pause_image
    grep -q '^KUBELET_PORT=' "$HEALD_STATE/env" || env_set KUBELET_PORT "$(free_port)"
    # shellcheck disable=SC1091
    source "$HEALD_STATE/env"
    kubelet_config
    running kubelet >/dev/null ||
        launch kubelet "$TOOLS/kubelet" --kubeconfig "$HEALD_STATE/admin.kubeconfig" --config "$HEALD_STATE/kubelet/config.yaml" \
            --root-dir "$HEALD_STATE/kubelet/root" --cert-dir "$HEALD_STATE/kubelet/pki" --hostname-override $NODE_NAME --node-ip $BRIDGE_IP
}

node_ready() { kubectl get nodes -o 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}' | grep -q True; }

kwok_up() {
    "$HEALD_ROOT/deploy/local/tools" kwok
    running kwok >/dev/null ||
        launch kwok "$TOOLS/kwok" --kubeconfig "$HEALD_STATE/admin.kubeconfig" --manage-all-nodes --cidr 10.244.0.0/24
    kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Node
metadata: { name: $NODE_NAME, annotations: { node.alpha.kubernetes.io/ttl: "0", kwok.x-k8s.io/node: fake } }
status: { allocatable: { cpu: "32", memory: 256Gi, pods: "500" }, capacity: { cpu: "32", memory: 256Gi, pods: "500" } }
YAML
}

node_up() {
    if node_possible; then
        real_node_up
        env_set NODE_KIND real
    else
        say "${BOLD}no real node can be had here (it needs root and containerd): kwok simulates node and pods; nothing really runs in them${PLAIN}"
        kwok_up
        env_set NODE_KIND kwok
    fi
    wait_for 90 "the node being ready (see $HEALD_STATE/log/kubelet.log)" node_ready
    step node "$NODE_NAME ($(grep -o '^NODE_KIND=.*' "$HEALD_STATE/env" | cut -d= -f2))"
}

end_containers() {
    local task pid
    for task in $(ctr tasks ls -q 2>/dev/null || true); do ctr tasks kill -s SIGKILL "$task" >/dev/null 2>&1 || true; done
    sleep 0.3
    for task in $(ctr tasks ls -q 2>/dev/null || true); do ctr tasks rm -f "$task" >/dev/null 2>&1 || true; done
    for task in $(ctr containers ls -q 2>/dev/null || true); do ctr containers rm "$task" >/dev/null 2>&1 || true; done
    # shims of this state folder, by their own command line
    for pid in $(ps -eo pid=,args= | awk -v s="$HEALD_STATE/containerd/containerd.sock" '/containerd-shim-runc-v2/ && index($0, s) { print $1 }'); do
        kill -9 "$pid" 2>/dev/null || true
    done
}

unmount_below() {
    local m
    awk -v s="$1" '{ p = $2; gsub(/\\040/, " ", p); if (index(p, s) == 1) print p }' /proc/mounts | sort -r | while read -r m; do umount -l "$m" || true; done
}

node_down() {
    finish kwok
    finish kubelet
    if running containerd >/dev/null; then
        end_containers
        finish containerd 10
    fi
    if [ -d "$HEALD_STATE/containerd" ]; then
        unmount_below "$HEALD_STATE/containerd/"
        unmount_below "$HEALD_STATE/kubelet/"
        rm -rf "$HEALD_STATE/cni-ipam"
    fi
    if [ "$(cat /run/heald-node 2>/dev/null || true)" = "$HEALD_STATE" ]; then
        local ns
        for ns in $(ip netns list 2>/dev/null | awk '/^cni-/ { print $1 }'); do ip netns del "$ns" 2>/dev/null || true; done
        ip link del $BRIDGE 2>/dev/null || true
        rm -f /run/heald-node
    fi
}
