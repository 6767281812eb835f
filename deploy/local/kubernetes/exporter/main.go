// Command exporter serves the few series of kube-state-metrics that heald's shipped rules, its demo and its tests use, under the same names.
// kube-state-metrics itself is not to be had as a Go module; heald never depends on either.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

type exporter struct {
	pods         corelisters.PodLister
	replicasets  appslisters.ReplicaSetLister
	deployments  appslisters.DeploymentLister
	statefulsets appslisters.StatefulSetLister
	daemonsets   appslisters.DaemonSetLister
}

// page collects samples by family: all lines of one metric stand together.
type page struct {
	families map[string][]string
	types    map[string]string
}

// escape is what Prometheus' text format wants in a label's value.
var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// with is labels and some more, without touching the first ones.
func with(labels []string, more ...string) []string {
	return append(append(make([]string, 0, len(labels)+len(more)), labels...), more...)
}

func (p *page) add(kind, name string, value float64, pairs ...string) {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(pairs[i] + `="` + escape.Replace(pairs[i+1]) + `"`)
	}
	p.types[name] = kind
	p.families[name] = append(p.families[name], fmt.Sprintf("%s{%s} %g\n", name, b.String(), value))
}

func (p *page) write(w http.ResponseWriter) {
	names := make([]string, 0, len(p.families))
	for name := range p.families {
		names = append(names, name)
	}
	sort.Strings(names)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, name := range names {
		fmt.Fprintf(w, "# HELP %s As kube-state-metrics names it.\n# TYPE %s %s\n", name, name, p.types[name])
		sort.Strings(p.families[name])
		for _, line := range p.families[name] {
			fmt.Fprint(w, line)
		}
	}
}

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// owner gives the labels of the controlling owner.
func owner(o metav1.Object) []string {
	if c := metav1.GetControllerOf(o); c != nil {
		return []string{"owner_kind", c.Kind, "owner_name", c.Name, "owner_is_controller", "true"}
	}
	return []string{"owner_kind", "", "owner_name", "", "owner_is_controller", ""}
}

func (x *exporter) pod(p *page, pod *corev1.Pod) {
	id := []string{"namespace", pod.Namespace, "pod", pod.Name, "uid", string(pod.UID)}
	p.add("gauge", "kube_pod_info", 1, with(id, "node", pod.Spec.NodeName, "pod_ip", pod.Status.PodIP)...)
	p.add("gauge", "kube_pod_owner", 1, with(id, owner(pod)...)...)
	p.add("gauge", "kube_pod_created", float64(pod.CreationTimestamp.Unix()), id...)
	for _, phase := range []corev1.PodPhase{"Pending", "Running", "Succeeded", "Failed", "Unknown"} {
		p.add("gauge", "kube_pod_status_phase", yes(pod.Status.Phase == phase), with(id, "phase", string(phase))...)
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			for _, status := range []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown} {
				p.add("gauge", "kube_pod_status_ready", yes(c.Status == status), with(id, "condition", strings.ToLower(string(status)))...)
			}
		}
	}
	containers(p, "kube_pod_container_status", id, pod.Status.ContainerStatuses)
	containers(p, "kube_pod_init_container_status", id, pod.Status.InitContainerStatuses)
}

func containers(p *page, prefix string, id []string, statuses []corev1.ContainerStatus) {
	for _, c := range statuses {
		container := with(id, "container", c.Name)
		p.add("counter", prefix+"_restarts_total", float64(c.RestartCount), container...)
		p.add("gauge", prefix+"_ready", yes(c.Ready), container...)
		p.add("gauge", prefix+"_running", yes(c.State.Running != nil), container...)
		p.add("gauge", prefix+"_terminated", yes(c.State.Terminated != nil), container...)
		p.add("gauge", prefix+"_waiting", yes(c.State.Waiting != nil), container...)
		if c.State.Waiting != nil && c.State.Waiting.Reason != "" {
			p.add("gauge", prefix+"_waiting_reason", 1, with(container, "reason", c.State.Waiting.Reason)...)
		}
		if t := c.LastTerminationState.Terminated; t != nil {
			p.add("gauge", prefix+"_last_terminated_reason", 1, with(container, "reason", t.Reason)...)
			p.add("gauge", prefix+"_last_terminated_exitcode", float64(t.ExitCode), container...)
		}
	}
}

func (x *exporter) replicaset(p *page, r *appsv1.ReplicaSet) {
	id := []string{"namespace", r.Namespace, "replicaset", r.Name}
	p.add("gauge", "kube_replicaset_owner", 1, with(id, owner(r)...)...)
	p.add("gauge", "kube_replicaset_spec_replicas", replicas(r.Spec.Replicas), id...)
	p.add("gauge", "kube_replicaset_status_ready_replicas", float64(r.Status.ReadyReplicas), id...)
}

func replicas(n *int32) float64 {
	if n == nil {
		return 1
	}
	return float64(*n)
}

func (x *exporter) deployment(p *page, d *appsv1.Deployment) {
	id := []string{"namespace", d.Namespace, "deployment", d.Name}
	p.add("gauge", "kube_deployment_spec_replicas", replicas(d.Spec.Replicas), id...)
	p.add("gauge", "kube_deployment_spec_paused", yes(d.Spec.Paused), id...)
	p.add("gauge", "kube_deployment_status_replicas", float64(d.Status.Replicas), id...)
	p.add("gauge", "kube_deployment_status_replicas_available", float64(d.Status.AvailableReplicas), id...)
	p.add("gauge", "kube_deployment_status_replicas_ready", float64(d.Status.ReadyReplicas), id...)
	p.add("gauge", "kube_deployment_status_replicas_unavailable", float64(d.Status.UnavailableReplicas), id...)
	p.add("gauge", "kube_deployment_status_replicas_updated", float64(d.Status.UpdatedReplicas), id...)
	p.add("gauge", "kube_deployment_status_observed_generation", float64(d.Status.ObservedGeneration), id...)
	p.add("gauge", "kube_deployment_metadata_generation", float64(d.Generation), id...)
}

func (x *exporter) statefulset(p *page, s *appsv1.StatefulSet) {
	id := []string{"namespace", s.Namespace, "statefulset", s.Name}
	p.add("gauge", "kube_statefulset_replicas", replicas(s.Spec.Replicas), id...)
	p.add("gauge", "kube_statefulset_status_replicas", float64(s.Status.Replicas), id...)
	p.add("gauge", "kube_statefulset_status_replicas_available", float64(s.Status.AvailableReplicas), id...)
	p.add("gauge", "kube_statefulset_status_replicas_ready", float64(s.Status.ReadyReplicas), id...)
	p.add("gauge", "kube_statefulset_status_replicas_updated", float64(s.Status.UpdatedReplicas), id...)
	p.add("gauge", "kube_statefulset_status_observed_generation", float64(s.Status.ObservedGeneration), id...)
	p.add("gauge", "kube_statefulset_metadata_generation", float64(s.Generation), id...)
}

func (x *exporter) daemonset(p *page, d *appsv1.DaemonSet) {
	id := []string{"namespace", d.Namespace, "daemonset", d.Name}
	p.add("gauge", "kube_daemonset_status_desired_number_scheduled", float64(d.Status.DesiredNumberScheduled), id...)
	p.add("gauge", "kube_daemonset_status_number_available", float64(d.Status.NumberAvailable), id...)
	p.add("gauge", "kube_daemonset_status_number_unavailable", float64(d.Status.NumberUnavailable), id...)
	p.add("gauge", "kube_daemonset_status_observed_generation", float64(d.Status.ObservedGeneration), id...)
	p.add("gauge", "kube_daemonset_metadata_generation", float64(d.Generation), id...)
	p.add("gauge", "kube_daemonset_status_number_ready", float64(d.Status.NumberReady), id...)
	p.add("gauge", "kube_daemonset_status_updated_number_scheduled", float64(d.Status.UpdatedNumberScheduled), id...)
}

func (x *exporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p := &page{families: map[string][]string{}, types: map[string]string{}}
	pods, _ := x.pods.List(labels.Everything())
	for _, o := range pods {
		x.pod(p, o)
	}
	replicasets, _ := x.replicasets.List(labels.Everything())
	for _, o := range replicasets {
		x.replicaset(p, o)
	}
	deployments, _ := x.deployments.List(labels.Everything())
	for _, o := range deployments {
		x.deployment(p, o)
	}
	statefulsets, _ := x.statefulsets.List(labels.Everything())
	for _, o := range statefulsets {
		x.statefulset(p, o)
	}
	daemonsets, _ := x.daemonsets.List(labels.Everything())
	for _, o := range daemonsets {
		x.daemonset(p, o)
	}
	p.write(w)
}

// targets lists the pods that ask to be scraped (annotation prometheus.io/scrape: "true", on their first port) as Prometheus'
// http_sd wants them: Debian's Prometheus is built without discovery of its own for Kubernetes.
func (x *exporter) targets(w http.ResponseWriter, _ *http.Request) {
	type group struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	groups := []group{}
	pods, _ := x.pods.List(labels.Everything())
	for _, pod := range pods {
		if pod.Annotations["prometheus.io/scrape"] != "true" || pod.Status.PodIP == "" || pod.Status.Phase != corev1.PodRunning {
			continue
		}
		for _, c := range pod.Spec.Containers {
			if len(c.Ports) > 0 {
				address := net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(c.Ports[0].ContainerPort)))
				groups = append(groups, group{[]string{address}, map[string]string{"namespace": pod.Namespace, "pod": pod.Name}})
				break
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(groups)
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig file; empty: in the cluster")
	listen := flag.String("listen", "127.0.0.1:9100", "address to serve /metrics on")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	factory := informers.NewSharedInformerFactory(client, 10*time.Minute)
	x := &exporter{
		pods:         factory.Core().V1().Pods().Lister(),
		replicasets:  factory.Apps().V1().ReplicaSets().Lister(),
		deployments:  factory.Apps().V1().Deployments().Lister(),
		statefulsets: factory.Apps().V1().StatefulSets().Lister(),
		daemonsets:   factory.Apps().V1().DaemonSets().Lister(),
	}
	factory.Start(context.Background().Done())
	factory.WaitForCacheSync(context.Background().Done())
	http.Handle("/metrics", x)
	http.HandleFunc("/targets", x.targets)
	log.Fatal(http.ListenAndServe(*listen, nil))
}
