/* What is seen of the stage: from labels to an object, and its observation. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/rehearse/stage.h"
#include "rules/base/re.h"
#include "rules/model/kind.h"

#define SETTLE_MS 60000
#define DEADLINE_SECONDS 600

/* ---- from labels to an object ---- */

static bool has_pod(const struct stage_object *o, const char *pod)
{
    size_t len = strlen(o->target.name);
    for (size_t i = 0; i < o->script->pods.len; i++)
        if (strcmp(o->script->pods.list[i], pod) == 0)
            return true;
    return o->script->pods.len == 0 && strncmp(pod, o->target.name, len) == 0 && pod[len] == '-';
}

static const char *label(const struct map *labels, const char *name)
{
    const char *value = map_get(labels, name);
    return value ? value : "";
}

/* "a=b,c=d": labels with these values. */
static bool selects(const char *selector, const struct map *labels)
{
    for (const char *p = selector; *p; p += *p == ',') {
        size_t len = strcspn(p, ","), name_len = strcspn(p, "=,");
        char name[256], value[256];
        if (name_len >= len || len >= sizeof name)
            return false;
        snprintf(name, sizeof name, "%.*s", (int)name_len, p);
        snprintf(value, sizeof value, "%.*s", (int)(len - name_len - 1), p + name_len + 1);
        const char *has = map_get(labels, name);
        if (!has || strcmp(has, value[0] == '=' ? value + 1 : value) != 0)
            return false;
        p += len;
    }
    return true;
}

static bool is_meant(const struct stage_object *o, const struct effect *f)
{
    if (f->target.uid[0])
        return strcmp(f->target.uid, o->target.uid) == 0;
    if (f->target.name[0] && strcmp(f->target.name, o->target.name) != 0)
        return false;
    const char *namespace = f->target.namespace[0] ? f->target.namespace : label(&f->labels, "namespace");
    if (kind_is_namespaced(o->target.kind) && strcmp(namespace, o->target.namespace) != 0)
        return false;
    if (f->target.name[0])
        return true;
    if (f->selector)
        return strcmp(f->selector_kind, o->target.kind) == 0 && selects(f->selector, &o->script->labels);
    if (strcmp(f->from, "pod") == 0)
        return has_pod(o, label(&f->labels, "pod"));
    const struct kind *kind = kind_by_label(f->from);
    return kind && strcmp(kind->name, o->target.kind) == 0 &&
           strcmp(label(&f->labels, f->from), o->target.name) == 0;
}

/* All that the selector finds, by name; the first is the target. */
static enum err_code find_all(const struct stage *s, const struct effect *f, struct observation *ret,
                              struct err *e)
{
    ret->found_len = 0;
    for (size_t i = 0; i < s->objects_len; i++) {
        const struct stage_object *o = &s->objects[i];
        if (!is_meant(o, f))
            continue;
        if ((int32_t)ret->found_len == f->limit)
            return err_set(e, ERR_REFUSED, "the selector \"%s\" finds more than %d of kind %s (target.limit)",
                           f->selector, (int)f->limit, f->selector_kind);
        uint32_t at = ret->found_len++;
        for (; at > 0 && strcmp(ret->found[at - 1], o->target.name) > 0; at--)
            memcpy(ret->found[at], ret->found[at - 1], sizeof ret->found[at]);
        text_copy(ret->found[at], sizeof ret->found[at], o->target.name);
    }
    return ERR_OK;
}

/* `first`: the first of those that a selector found, else NULL. */
static enum err_code resolve(const struct stage *s, const struct effect *f, const char *first,
                             const struct stage_object **ret, struct err *e)
{
    for (size_t i = 0; i < s->objects_len; i++) {
        const struct stage_object *o = &s->objects[i];
        if (!is_meant(o, f) || (first && strcmp(o->target.name, first) != 0))
            continue;
        if (f->owner[0] && !f->target.uid[0] && strcmp(f->owner, o->target.kind) != 0)
            return err_set(e, ERR_REFUSED, "it belongs to a %s, and the rule wants a %s", o->target.kind,
                           f->owner);
        *ret = o;
        return ERR_OK;
    }
    if (f->selector)
        return err_set(e, ERR_NOT_FOUND, "the selector \"%s\" finds no %s", f->selector, f->selector_kind);
    if (f->from[0] && !map_get(&f->labels, f->from))
        return err_set(e, ERR_INVALID, "the alert has no label \"%s\"", f->from);
    return err_set(e, ERR_NOT_FOUND, "%s \"%s\" in namespace \"%s\" does not exist",
                   f->from[0] ? f->from : "object", f->from[0] ? label(&f->labels, f->from) : f->target.name,
                   label(&f->labels, "namespace"));
}

/* ---- parts of an observation ---- */

/* While it is broken, or being rolled out. */
static int32_t pods_left(const struct stage_object *o)
{
    int32_t left = !o->broken ? o->desired - 1 : o->worse ? 0 : (int32_t)o->broken->available;
    return left < o->desired ? left : o->desired;
}

static void see_workload(const struct stage *s, const struct stage_object *o, struct observation *ret)
{
    bool rolled = s->now_ms >= o->rolled_ms;
    ret->target = o->target;
    snprintf(ret->resource_version, sizeof ret->resource_version, "%llu", (unsigned long long)o->version);
    memcpy(ret->template_hash, o->template, sizeof ret->template_hash);
    snprintf(ret->plain_hash, sizeof ret->plain_hash, "%.*s", (int)strcspn(o->template, "@"), o->template);
    memcpy(ret->restarted_at, o->restarted_at, sizeof ret->restarted_at);
    ret->desired = ret->total = o->desired;
    ret->updated = rolled ? o->desired : 0;
    ret->ready = ret->available = rolled && !o->broken ? o->desired : pods_left(o);
    ret->progress_deadline_seconds = DEADLINE_SECONDS;
    ret->observed_generation_current = true;
    ret->rollout_complete = rolled && !o->broken;
    ret->deadline_exceeded = !ret->rollout_complete && s->now_ms - o->template_ms > DEADLINE_SECONDS * 1000ll;
    snprintf(ret->conditions, sizeof ret->conditions, " Available=%s ",
             ret->available > 0 ? "True" : "False");
    ret->ignored = o->ignored;
    text_copy(ret->owner, sizeof ret->owner, o->owner);
    ret->watched = true;
    ret->template_since_ms = o->template_ms;
    ret->well_since_ms = o->well_ms;
    if (!o->well_ms)
        snprintf(ret->not_well, sizeof ret->not_well, "%.150s",
                 o->broken ? o->broken->breaks : "it is being rolled out");
    for (size_t i = 0; i < o->history_len && i < OBSERVATION_REVISIONS_MAX; i++) {
        struct revision *r = &ret->revisions[ret->revisions_len++];
        snprintf(r->name, sizeof r->name, "%.180s-%zu", o->target.name, o->history_len - i);
        r->number = (int64_t)(o->history_len - i);
        memcpy(r->template_hash, o->history[i], sizeof r->template_hash);
    }
}

static void see_pods(const struct stage *s, const struct stage_object *o, struct observation *ret)
{
    snprintf(ret->pod_name, sizeof ret->pod_name, "%.200s-%u",
             o->script->pods.len ? o->script->pods.list[0] : o->target.name, o->pod);
    snprintf(ret->pod_uid, sizeof ret->pod_uid, "pod-%.32s-%u", o->target.uid, o->pod);
    ret->pod_found = true;
    ret->evidence = EVIDENCE_INIT;
    ret->evidence.cause = CAUSE_NONE;
    if (!o->broken)
        return;
    const struct script_event *v = o->broken;
    struct evidence *x = &ret->evidence;
    ret->fault = true;
    snprintf(ret->fault_text, sizeof ret->fault_text, "pod \"%.100s\": %.60s", ret->pod_name, v->breaks);
    ret->trouble_ms = o->broken_ms;
    ret->new_pods_failed = o->broken_ms >= o->template_ms;
    ret->new_pods_failed_ms = ret->new_pods_failed ? s->now_ms : 0;
    for (int c = 0; c <= CAUSE_CREATING; c++)
        if (strcmp(cause_name((enum cause)c), v->cause) == 0)
            x->cause = (enum cause)c;
    text_copy(x->reason, sizeof x->reason, v->breaks);
    x->exit_code = (int32_t)v->exit_code;
    text_copy(x->pod, sizeof x->pod, ret->pod_name);
}

/* Do these labels speak of the object, or of a pod of it? */
static bool belongs(const struct stage_object *o, const struct map *labels)
{
    static const char *const names[] = { "deployment", "statefulset", "daemonset" };
    const char *pod = label(labels, "pod");
    bool named = *pod && has_pod(o, pod);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        named |= strcmp(label(labels, names[i]), o->target.name) == 0;
    return named && strcmp(label(labels, "namespace"), o->target.namespace) == 0;
}

/* Of this rule, for anything that belongs to the target. */
static void see_alert(const struct stage *s, const struct effect *f, const struct stage_object *o,
                      struct observation *ret)
{
    const char *name = label(&f->labels, "alertname");
    ret->prometheus = s->prometheus;
    ret->alert_settle_ms = SETTLE_MS;
    ret->alert_interval_ms = STAGE_EVALUATE_MS;
    if (!s->prometheus)
        return;
    ret->alert = ALERT_STATE_INACTIVE;
    ret->alert_evaluated_ms = s->now_ms;
    for (size_t i = 0; i < s->alerts_len; i++) {
        const struct map *labels = &s->alerts[i].script->fires;
        bool its = belongs(o, labels) || map_equal(labels, &f->labels);
        if (!s->alerts[i].firing || !its || strcmp(label(labels, "alertname"), name) != 0)
            continue;
        ret->alert = ALERT_STATE_FIRING;
        if (!ret->alert_active_ms || s->alerts[i].active_ms < ret->alert_active_ms)
            ret->alert_active_ms = s->alerts[i].active_ms;
    }
    text_copy(ret->alert_text, sizeof ret->alert_text,
              ret->alert == ALERT_STATE_FIRING ? "it fires" : "it is inactive");
}

static bool found_in(const char *body, const char *pattern)
{
    struct re *re = NULL;
    bool found = re_new(&re, pattern, RE_DOT_LINE, NULL) == ERR_OK && re_found(re, body, strlen(body));
    re_free(re);
    return found;
}

static void see_probe(const struct stage *s, const struct probe *p, struct probe_answer *ret)
{
    const struct script_event *v = NULL;
    *ret = (struct probe_answer){ .key = probe_key(p), .state = PROBE_NO_DATA, .at_ms = s->now_ms };
    for (size_t i = 0; i < s->answers_len; i++)
        if (strcmp(s->answers[i]->query, p->text) == 0)
            v = s->answers[i];
    if (!v) {
        snprintf(ret->text, sizeof ret->text, "the test gives no answer to it");
        return;
    }
    if (p->kind == PROBE_HTTP) {
        ret->state = v->status ? PROBE_ANSWERED : PROBE_NO_DATA;
        ret->status = (int32_t)v->status;
        ret->body_matches = !v->body || !p->body[0] || found_in(v->body, p->body);
        snprintf(ret->text, sizeof ret->text, "%d", ret->status);
        return;
    }
    ret->state = PROBE_ANSWERED;
    ret->series = (uint32_t)v->values.len;
    for (size_t i = 0; i < v->values.len; i++) {
        double value = strtod(v->values.list[i], NULL);
        ret->least = i == 0 || value < ret->least ? value : ret->least;
        ret->most = i == 0 || value > ret->most ? value : ret->most;
    }
    snprintf(ret->text, sizeof ret->text, "%g in %u series", ret->least, ret->series);
}

/* A field is whatever the last action made of it. */
static void see_change(const struct stage_object *o, const struct effect *f, struct observation *ret)
{
    if (f->intent.change[0]) {
        bool stands = strcmp(o->changed, f->intent.change) == 0;
        ret->change_proof = stands == (f->intent.undo == 0) ? CHANGE_THERE : CHANGE_ABSENT;
    }
    if (!f->action[0])
        return;
    ret->change_key = f->change_key;
    snprintf(ret->change_text, sizeof ret->change_text, "%s %.400s", f->action, f->ask);
    ret->change = strcmp(o->changed, ret->change_text) == 0 ? CHANGE_IMPOSSIBLE : CHANGE_POSSIBLE;
    text_copy(ret->change_say, sizeof ret->change_say,
              ret->change == CHANGE_POSSIBLE ? f->action
                                             : "everything is as this action would make it already");
}

enum err_code stage_observe(const struct stage *s, const struct effect *f, struct observation *ret,
                            struct err *e)
{
    const struct stage_object *o = NULL;
    struct observation found = { .found_len = 0 };
    enum err_code code = f->selector && !f->target.uid[0] ? find_all(s, f, &found, e) : ERR_OK;
    if (!code)
        code = resolve(s, f, found.found_len ? found.found[0] : NULL, &o, e);
    if (code)
        return code;
    assert(o);
    *ret = found;
    ret->at_ms = s->now_ms;
    ret->needs = f->needs;
    see_workload(s, o, ret);
    see_pods(s, o, ret);
    see_alert(s, f, o, ret);
    see_change(o, f, ret);
    ret->hpa_known = ret->pdb_known = true;
    ret->probes_len = (uint32_t)f->probes_len;
    for (size_t i = 0; i < f->probes_len; i++)
        see_probe(s, &f->probes[i], &ret->probes[i]);
    if (f->pod_uid[0] && strcmp(f->pod_uid, ret->pod_uid) != 0)
        ret->pod_found = false;
    return ERR_OK;
}
