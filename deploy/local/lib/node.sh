# A real node: containerd, runc, a CNI bridge, kubelet. One per machine. Where that cannot be had, kwok simulates node and pods.
# shellcheck shell=bash

BRIDGE=heald0
BRIDGE_IP=10.244.0.1
POD_RANGE=10.244.0.0/24
NODE_NAME=heald-node
NODE_RUN=/run/heald-node           # sockets and mounts: short paths, gone after a reboot
CONTAINERD_SOCKET=$NODE_RUN/containerd.sock
STATE_LENGTH_MAX=60                # kubelet's own sockets lie below the state folder, and such a path may have 107 bytes

# Says why no real node can be had; succeeds when one can.
node_obstacle() {
    if [ "$(id -u)" != 0 ]; then
        echo "it needs root"
    elif ! command -v containerd >/dev/null || ! command -v runc >/dev/null || [ ! -x /usr/lib/cni/bridge ]; then
        echo "it needs containerd, runc and containernetworking-plugins"
    elif [ ! -w /sys/fs/cgroup ]; then
        echo "/sys/fs/cgroup is not writable"
    elif ! unshare --mount --net --pid --fork true 2>/dev/null; then
        echo "this machine may not make namespaces"
    else
        return 0
    fi
    return 1
}

ctr() { command ctr --address "$CONTAINERD_SOCKET" --namespace k8s.io "$@"; }

containerd_config() {
    mkdir -p "$HEALD_STATE/containerd" "$HEALD_STATE/cni"
    cat >"$HEALD_STATE/containerd/config.toml" <<TOML
version = 2
root = "$HEALD_STATE/containerd/root"
state = "$NODE_RUN/containerd"
[grpc]
  address = "$CONTAINERD_SOCKET"
[ttrpc]
  address = "$CONTAINERD_SOCKET.ttrpc"
[debug]
  level = "warn"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "heald.local/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
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
    "ipam": { "type": "host-local", "dataDir": "$NODE_RUN/addresses", "ranges": [[{ "subnet": "$POD_RANGE" }]] } } ] }
JSON
}

# The API server is kubelet's only caller (logs, exec); the bridge's address is not reachable from outside this machine.
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
containerRuntimeEndpoint: "unix://$CONTAINERD_SOCKET"
maxPods: 110
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 1s
nodeStatusReportFrequency: 30s
serializeImagePulls: false
syncFrequency: 5s
YAML
}

bridge_up() {
    ip link show $BRIDGE >/dev/null 2>&1 || ip link add $BRIDGE type bridge
    grep -q "$BRIDGE_IP/" <<<"$(ip addr show dev $BRIDGE)" || ip addr add $BRIDGE_IP/24 dev $BRIDGE
    ip link set $BRIDGE up
    echo 1 >/proc/sys/net/ipv4/ip_forward
}

# The sandbox's own image: Debian's static busybox, asleep. Tests use it too.
pause_image() {
    if ! grep -qx heald.local/pause:1 <<<"$(ctr images ls -q)"; then
        "$HEALD_ROOT/deploy/local/image" "$HEALD_STATE/pause.tar" heald.local/pause:1 \
            '["/bin/busybox","sleep","2147483647"]' /bin/busybox=/bin/busybox
        ctr images import "$HEALD_STATE/pause.tar" >/dev/null
    fi
}

# This machine's one node belongs to one state folder.
claim_node() {
    local owner
    [ ${#HEALD_STATE} -le $STATE_LENGTH_MAX ] ||
        die "\"$HEALD_STATE\" is too long for a node's sockets; choose a folder of at most $STATE_LENGTH_MAX bytes by --state"
    owner=$(cat "$NODE_RUN/owner" 2>/dev/null || true)
    if [ -n "$owner" ] && [ "$owner" != "$HEALD_STATE" ] && HEALD_STATE=$owner running kubelet >/dev/null; then
        die "the world in \"$owner\" runs this machine's node: end it by deploy/local/down --state \"$owner\", or use up --control-plane-only"
    fi
    mkdir -p "$NODE_RUN"
    printf '%s' "$HEALD_STATE" >"$NODE_RUN/owner"
}

real_node_up() {
    bridge_up
    containerd_config
    ensure containerd containerd --config "$HEALD_STATE/containerd/config.toml"
    wait_for_part 30 containerd ctr version
    step containerd "$CONTAINERD_SOCKET"
    pause_image
    choose_port KUBELET_PORT kubelet
    env_load
    kubelet_config
    ensure kubelet "$TOOLS/kubelet" --kubeconfig "$HEALD_STATE/admin.kubeconfig" --config "$HEALD_STATE/kubelet/config.yaml" \
        --root-dir "$HEALD_STATE/kubelet/root" --cert-dir "$HEALD_STATE/kubelet/pki" --hostname-override $NODE_NAME --node-ip $BRIDGE_IP
    wait_for_part 90 kubelet kubelet_ready
    env_set NODE_KIND real
    env_set CONTAINERD_SOCKET "$CONTAINERD_SOCKET"
}

ready_condition() { kubectl get node $NODE_NAME -o "jsonpath={.status.conditions[?(@.type==\"Ready\")].$1}"; }

node_ready() { [ "$(ready_condition status)" = True ]; }

# Ready, and heard of since kubelet was started: what an earlier one left behind does not count.
kubelet_ready() {
    local started
    started=$(date -u -r "$HEALD_STATE/run/kubelet.pid" +%Y-%m-%dT%H:%M:%SZ)
    node_ready && [[ ! "$(ready_condition lastHeartbeatTime)" < "$started" ]]
}

simulated_node_up() {
    "$HEALD_ROOT/deploy/local/tools" kwok
    ensure kwok "$TOOLS/kwok" --kubeconfig "$HEALD_STATE/admin.kubeconfig" --config "$TOOLS/kwok-stages.yaml" \
        --manage-all-nodes --node-lease-duration-seconds 40 --cidr 10.245.0.0/24
    kubectl get node $NODE_NAME >/dev/null 2>&1 || kubectl create -f - >/dev/null <<YAML
apiVersion: v1
kind: Node
metadata: { name: $NODE_NAME }
status: { allocatable: { cpu: "32", memory: 256Gi, pods: "500" }, capacity: { cpu: "32", memory: 256Gi, pods: "500" } }
YAML
    wait_for_part 60 kwok node_ready
    env_set NODE_KIND simulated
}

# node_choose [simulated]: decides what node there will be before anything starts, and claims this machine's real one.
node_choose() {
    NODE_OBSTACLE=''
    if [ "${1:-}" = simulated ]; then
        NODE_OBSTACLE='as asked'
    elif NODE_OBSTACLE=$(node_obstacle); then
        claim_node
    fi
}

node_up() {
    if [ -z "$NODE_OBSTACLE" ]; then
        real_node_up
        step node "$NODE_NAME, real: containerd and kubelet, pods in $POD_RANGE"
    else
        simulated_node_up
        step node "$NODE_NAME, simulated"
        say "${BOLD}NO REAL NODE ($NODE_OBSTACLE): kwok simulates node and pods. The control plane is real, but nothing runs in the pods.$PLAIN"
    fi
}

shims() { ps -eo pid=,args= | awk -v s="$CONTAINERD_SOCKET" '/containerd-shim/ && index($0, s) { print $1 }'; }

# Whether containerd still answers or not: the containers are the shims' children.
end_containers() {
    local id pid
    if running containerd >/dev/null; then
        for id in $(ctr tasks ls -q 2>/dev/null); do ctr tasks rm --force "$id" >/dev/null 2>&1 || true; done
        for id in $(ctr containers ls -q 2>/dev/null); do ctr containers rm "$id" >/dev/null 2>&1 || true; done
    fi
    end_process containerd 10
    for pid in $(shims); do
        ps -o pid= --ppid "$pid" | xargs -r kill -9 2>/dev/null || true
        kill -9 "$pid" 2>/dev/null || true
    done
}

unmount_below() {
    local m
    awk -v s="$1/" '{ p = $2; gsub(/\\040/, " ", p); if (index(p, s) == 1) print p }' /proc/mounts | sort -r |
        while read -r m; do umount --lazy "$m" || true; done
}

node_down() {
    finish kwok
    finish kubelet
    if [ "$(cat "$NODE_RUN/owner" 2>/dev/null || true)" = "$HEALD_STATE" ]; then
        end_containers
        unmount_below "$NODE_RUN"
        unmount_below "$HEALD_STATE"
        ip link del $BRIDGE 2>/dev/null || true
        rm -rf "$NODE_RUN"
    fi
    finish containerd
    env_unset NODE_KIND CONTAINERD_SOCKET
}
