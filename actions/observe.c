/* actions/observe.c */
#include "actions/observe.h"

#include <stdio.h>
#include <string.h>

#include "actions/belongs.h"
#include "actions/catalogue.h"
#include "actions/history.h"
#include "actions/namespaces.h"
#include "actions/resolve.h"
#include "actions/verify/alertmanager.h"
#include "actions/verify/governors.h"
#include "actions/verify/object.h"
#include "actions/verify/pods.h"
#include "actions/verify/rollout.h"
#include "actions/verify/status.h"
#include "rules/model/kind.h"

struct reading { /* one observe() under way */
    const struct observer *o;
    struct http *h;
    const struct observe_request *r;
    struct resolved found;
    struct history history;
    struct buf selector;
    enum pod_trouble worst;
    struct observation seen;
};

static void reading_release(struct reading *g)
{
    resolved_release(&g->found);
    history_release(&g->history);
    buf_release(&g->selector);
}

static const struct json *workload(const struct reading *g)
{
    return json_root(g->found.workload);
}

static bool is_workload(const struct reading *g)
{
    return kind_is_workload(g->found.kind);
}

struct endpoints {
    int32_t ready, all;
};

static bool count_slice(void *ctx, const struct json *slice)
{
    struct endpoints *n = ctx;
    object_count_endpoints(slice, &n->ready, &n->all);
    return true;
}

static enum err_code read_endpoints(struct reading *g, struct err *e)
{
    struct endpoints n = { .ready = 0 };
    CLEANUP(buf_release) struct buf selector = BUF_INIT;
    buf_addf(&selector, "kubernetes.io/service-name=%s", g->seen.target.name);
    enum err_code code = kube_list(g->o->cluster, g->h, "EndpointSlice", g->seen.target.namespace,
                                   buf_text(&selector), count_slice, &n, NULL, e);
    if (code != ERR_OK)
        return err_wrap(e, code, "endpoints of service \"%s\"", g->seen.target.name);
    object_judge_endpoints(workload(g), n.ready, n.all, &g->seen);
    return ERR_OK;
}

/* An object that is no workload. */
static enum err_code read_other(struct reading *g, struct err *e)
{
    struct observation *o = &g->seen;
    enum err_code code = object_read(workload(g), g->found.kind, o, e);
    if (code == ERR_OK)
        code = object_judge(workload(g), o->at_ms, o, e);
    if (code == ERR_OK && strcmp(g->found.kind, "Service") == 0)
        code = read_endpoints(g, e);
    return code;
}

static enum err_code read_workload(struct reading *g, struct err *e)
{
    struct observation *o = &g->seen;
    bool ignored = false;
    enum err_code code = resolve(g->o, g->h, g->r, &g->found, e);
    if (code == ERR_OK)
        code = resolve_read_error(e, is_workload(g) ? rollout_read(workload(g), g->found.kind, o, e)
                                                    : read_other(g, e));
    if (code != ERR_OK)
        return code;
    o->found_len = g->found.names_len;
    memcpy(o->found, g->found.names, sizeof o->found);
    if (!text_copy(o->target.cluster, sizeof o->target.cluster, cluster_name(g->o->cluster)))
        return err_set(e, ERR_INVALID, "the cluster's name is longer than %d bytes", CLUSTER_NAME_SIZE - 1);
    if (!kind_is_namespaced(g->found.kind))
        return ERR_OK;
    code = resolve_read_error(e, namespaces_ignored(g->o, g->h, o->target.namespace, o->at_ms, &ignored, e));
    o->ignored = o->ignored || ignored;
    return code;
}

/* The watch may lag behind what was just read: what it knows of another template says nothing about this one.
 */
static void read_watch(struct reading *g)
{
    struct observation *o = &g->seen;
    struct watch_workload w;
    memset(&w, 0, sizeof w);
    if (!g->o->watch || !watch_lookup(g->o->watch, &o->target, &w) || !w.watched ||
        strcmp(w.target.uid, o->target.uid) != 0) {
        text_copy(o->not_well, sizeof o->not_well, "it is not under watch");
        return;
    }
    o->watched = true;
    if (strcmp(w.template_hash, o->template_hash) != 0) {
        o->template_since_ms = o->at_ms;
        text_copy(o->not_well, sizeof o->not_well, "the watch has not seen its present template yet");
        return;
    }
    o->template_since_ms = w.template_since_ms;
    o->well_since_ms = w.well_since_ms;
    text_copy(o->not_well, sizeof o->not_well, w.not_well);
}

static enum err_code read_history(struct reading *g, struct err *e)
{
    bool statefulset = strcmp(g->found.kind, "StatefulSet") == 0;
    g->history.target = g->seen.target;
    if (!(g->r->needs & (OBSERVE_HISTORY | OBSERVE_PODS)) || !is_workload(g))
        return ERR_OK;
    enum err_code code = kube_selector(&g->selector, json_path(workload(g), "spec.selector"), e);
    if (code == ERR_OK && ((g->r->needs & OBSERVE_HISTORY) || !statefulset))
        code = history_read(g->o, g->h, &g->seen.target, buf_text(&g->selector), &g->history, e);
    if (code != ERR_OK)
        return err_wrap(e, resolve_read_error(e, code), "revisions of %s \"%s\"", g->found.kind,
                        g->seen.target.name);
    if (g->r->needs & OBSERVE_HISTORY)
        history_newest(&g->history, &g->seen);
    return ERR_OK;
}

static bool count_pod(void *ctx, const struct json *pod)
{
    struct reading *g = ctx;
    struct pod_look look;
    if (!history_owns(&g->history, pod))
        return true;
    bool present = g->seen.observed_generation_current &&
                   history_present(&g->history, workload(g), g->seen.template_hash, pod);
    pod_look(&look, pod, g->seen.at_ms);
    pod_count(&g->seen, &g->worst, &look, present);
    return true;
}

/* A pod says more about the cause, but for one that is only unready or gone when others cannot be made. */
static void add_own_fault(struct reading *g, const char *text, const struct evidence *evidence,
                          int64_t since_ms)
{
    struct observation *o = &g->seen;
    bool refused = evidence->cause == CAUSE_QUOTA || evidence->cause == CAUSE_FORBIDDEN;
    o->fault = true;
    if (since_ms > 0 && (o->trouble_ms == 0 || since_ms < o->trouble_ms))
        o->trouble_ms = since_ms;
    if (g->worst == POD_WELL || (refused && g->worst <= POD_UNREADY)) {
        text_copy(o->fault_text, sizeof o->fault_text, text);
        o->evidence = *evidence;
    }
}

static enum err_code read_pods(struct reading *g, struct err *e)
{
    struct observation *o = &g->seen;
    char text[OBSERVATION_TEXT_SIZE];
    struct evidence evidence;
    int64_t since_ms = 0;
    if (!(g->r->needs & OBSERVE_PODS) || !is_workload(g))
        return ERR_OK;
    enum err_code code = kube_list(g->o->cluster, g->h, "Pod", o->target.namespace, buf_text(&g->selector),
                                   count_pod, g, NULL, e);
    if (code != ERR_OK)
        return err_wrap(e, resolve_read_error(e, code), "pods of %s \"%s\"", g->found.kind, o->target.name);
    o->evidence.cause = o->fault ? o->evidence.cause : CAUSE_NONE;
    if (rollout_fault(workload(g), o->at_ms, text, &evidence, &since_ms))
        add_own_fault(g, text, &evidence, since_ms);
    return ERR_OK;
}

static void read_alert(struct reading *g)
{
    struct observation *o = &g->seen;
    struct belonging belonging = { .target = &o->target, .labels = g->r->labels, .watch = g->o->watch };
    const char *alertname = map_get(g->r->labels, "alertname");
    o->prometheus = g->o->systems.prometheus != NULL;
    if (!(g->r->needs & OBSERVE_ALERT))
        return;
    if (!o->prometheus)
        text_copy(o->alert_text, sizeof o->alert_text, "no prometheus is configured");
    else if (!alertname || *alertname == '\0')
        text_copy(o->alert_text, sizeof o->alert_text, "the alert has no label \"alertname\"");
    else
        prometheus_alert(g->o->systems.prometheus, g->h, alertname, belongs_to_target, &belonging, o);
}

static void read_silenced(struct reading *g)
{
    struct observation *o = &g->seen;
    struct belonging belonging = { .target = &o->target, .labels = g->r->labels, .watch = g->o->watch };
    const char *alertname = map_get(g->r->labels, "alertname");
    o->alertmanager = g->o->alertmanager != NULL;
    if (!(g->r->needs & OBSERVE_SILENCED))
        return;
    if (!o->alertmanager)
        text_copy(o->silenced_text, sizeof o->silenced_text, "no alertmanager is configured");
    else if (!alertname || *alertname == '\0')
        text_copy(o->silenced_text, sizeof o->silenced_text, "the alert has no label \"alertname\"");
    else
        alertmanager_ask(g->o->alertmanager, g->h, alertname, belongs_to_target, &belonging, o);
}

static bool take_hpa(void *ctx, const struct json *hpa)
{
    struct reading *g = ctx;
    governors_add_hpa(&g->seen, hpa);
    return true;
}

static bool take_pdb(void *ctx, const struct json *pdb)
{
    struct reading *g = ctx;
    governors_add_pdb(&g->seen, pdb, json_path(workload(g), "spec.template.metadata.labels"));
    return true;
}

/* What cannot be read is not known, and hinders only what has to know it. */
static void read_governors(struct reading *g)
{
    struct observation *o = &g->seen;
    struct err e = ERR_INIT;
    if (!is_workload(g)) {
        o->hpa_known = o->pdb_known = true; /* there is none */
        return;
    }
    if (g->r->needs & OBSERVE_HPA) {
        governors_no_hpa(o);
        if (kube_list(g->o->cluster, g->h, "HorizontalPodAutoscaler", o->target.namespace, NULL, take_hpa, g,
                      NULL, &e) != ERR_OK) {
            o->hpa_known = o->hpa = false;
            text_clean(o->hpa_text, sizeof o->hpa_text, e.msg, strlen(e.msg));
        }
    }
    if (g->r->needs & OBSERVE_PDB) {
        governors_no_pdb(o);
        if (kube_list(g->o->cluster, g->h, "PodDisruptionBudget", o->target.namespace, NULL, take_pdb, g,
                      NULL, &e) != ERR_OK) {
            o->pdb_known = o->pdb = false;
            text_clean(o->pdb_text, sizeof o->pdb_text, e.msg, strlen(e.msg));
        }
    }
}

/* Which pod is asked about: the intent's, else the one that the labels name. */
static const char *pod_asked(const struct observe_request *r)
{
    if (r->pod_name && *r->pod_name != '\0')
        return r->pod_name;
    const char *label = map_get(r->labels, "pod");
    return label ? label : "";
}

static enum err_code fill_pod(struct reading *g, const struct json *pod, struct err *e)
{
    struct observation *o = &g->seen;
    const char *uid = status_text(pod, "metadata.uid");
    if (g->r->pod_uid && *g->r->pod_uid != '\0') {
        if (strcmp(uid, g->r->pod_uid) != 0)
            return ERR_OK; /* the name is another pod's by now */
    } else if (pod != json_root(g->found.pod)) {
        enum err_code code = resolve_pod_of(g->o, g->h, pod, &o->target, e);
        if (code != ERR_OK)
            return code;
    }
    if (!text_copy(o->pod_name, sizeof o->pod_name, status_text(pod, "metadata.name")) ||
        !text_copy(o->pod_uid, sizeof o->pod_uid, uid))
        return err_set(e, ERR_UNAVAILABLE, "a pod came with a longer name or uid than Kubernetes allows");
    o->pod_found = true;
    o->pod_terminating = *status_text(pod, "metadata.deletionTimestamp") != '\0';
    return ERR_OK;
}

static enum err_code read_pod(struct reading *g, struct err *e)
{
    char text[LABELS_TEXT_SIZE];
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    const char *name = pod_asked(g->r);
    if (!(g->r->needs & OBSERVE_POD))
        return ERR_OK;
    if (*name == '\0')
        return err_set(e, ERR_INVALID,
                       "labels %s name no pod; give the alerting rule's expression the label \"pod\"",
                       resolve_labels_text(text, g->r->labels));
    const struct json *pod = g->found.pod ? json_root(g->found.pod) : NULL;
    if (pod && strcmp(status_text(pod, "metadata.name"), name) == 0)
        return fill_pod(g, pod, e);
    enum err_code code = kube_get(g->o->cluster, g->h, "Pod", g->seen.target.namespace, name, &doc, e);
    if (code == ERR_NOT_FOUND) {
        if (e)
            *e = ERR_INIT;
        return ERR_OK; /* pod_found stays false */
    }
    return code == ERR_OK ? fill_pod(g, json_root(doc), e) : resolve_read_error(e, code);
}

/* What the action that is asked about would change, and what became of an intent's change. */
static enum err_code read_change(struct reading *g, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *ask = NULL;
    const struct observe_request *r = g->r;
    const struct action *action = r->action && r->action[0] ? catalogue_find(r->action) : NULL;
    struct change_ask a = { .cluster = g->o->cluster,
                            .http = g->h,
                            .target = &g->seen.target,
                            .object = workload(g),
                            .now_ms = g->seen.at_ms };
    enum err_code code = ERR_OK;
    if (!(r->needs & OBSERVE_CHANGE))
        return ERR_OK;
    if (r->intent && r->intent->change[0])
        code = change_prove(&a, r->intent, &g->seen, e);
    if (code || !action || !action->prepare)
        return code ? resolve_read_error(e, code) : ERR_OK;
    g->seen.change_key = r->change_key;
    code = json_parse(&ask, r->ask, strlen(r->ask), e);
    if (code)
        return code;
    a.params = json_get(json_root(ask), "params");
    a.proven = json_get(json_root(ask), "proven");
    a.id = json_string(json_get(json_root(ask), "id"), "");
    code = change_look(&a, action->prepare, &g->seen, e);
    return code ? resolve_read_error(e, code) : ERR_OK;
}

static void read_probes(struct reading *g)
{
    size_t len = g->r->probes_len < PROBES_MAX ? g->r->probes_len : PROBES_MAX;
    g->seen.probes_len = (uint32_t)len;
    probes_ask(&g->o->systems, g->h, g->r->probes, len, g->o->now_ms(g->o->now_ctx), g->seen.probes);
}

enum err_code observe(const struct observer *o, struct http *h, const struct observe_request *r,
                      struct observation *ret, struct err *e)
{
    struct reading g = { .o = o, .h = h, .r = r };
    g.seen.at_ms = o->now_ms(o->now_ctx);
    g.seen.needs = r->needs;
    g.seen.evidence = EVIDENCE_INIT;
    enum err_code code = read_workload(&g, e);
    if (code == ERR_OK) {
        read_watch(&g);
        code = read_history(&g, e);
    }
    if (code == ERR_OK)
        code = read_pods(&g, e);
    if (code == ERR_OK)
        code = read_pod(&g, e);
    if (code == ERR_OK)
        code = read_change(&g, e);
    if (code == ERR_OK) {
        read_governors(&g);
        read_alert(&g);
        read_silenced(&g);
        read_probes(&g);
        *ret = g.seen;
    }
    reading_release(&g);
    return code;
}
