#include "receiver/rehearse/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/model/kind.h"

#define DEADLINE_SECONDS 600
#define SETTLE_MS 60000
/* What stands there at the begin has stood there for so long. */
#define LONG_AGO_MS (30ll * 24 * 3600 * 1000)

/* ---- objects ---- */

static void remember_template(struct stage_object *o)
{
    size_t k = 0;
    while (k < o->history_len && strcmp(o->history[k], o->template) != 0)
        k++;
    if (k == o->history_len && o->history_len < STAGE_TEMPLATES_MAX)
        o->history_len++;
    k = k < STAGE_TEMPLATES_MAX ? k : STAGE_TEMPLATES_MAX - 1;
    memmove(o->history[1], o->history[0], k * sizeof o->history[0]);
    memcpy(o->history[0], o->template, sizeof o->history[0]);
}

static void set_template(struct stage *s, struct stage_object *o, const char *template)
{
    text_copy(o->template, sizeof o->template, template);
    remember_template(o);
    o->template_ms = s->now_ms;
    o->rolled_ms = s->now_ms + o->script->rollout_ms;
    o->pod++;
    o->version++;
}

static enum err_code add_object(struct stage *s, const struct script_object *from, struct err *e)
{
    struct stage_object *o = &s->objects[s->objects_len];
    if (!from->name || !*from->name)
        return err_set(e, ERR_INVALID,
                       "line %d: the object has no name; write name = \"...\" or manifest = \"FILE\"",
                       from->line);
    if (!kind_find(from->kind))
        return err_set(e, ERR_INVALID, "line %d: \"%s\" is no kind of target; one of " KIND_NAMES " is",
                       from->line, from->kind);
    *o = (struct stage_object){ .script = from, .desired = (int32_t)from->replicas, .version = 1 };
    text_copy(o->target.cluster, sizeof o->target.cluster, from->cluster);
    if (kind_is_namespaced(from->kind))
        text_copy(o->target.namespace, sizeof o->target.namespace, from->namespace);
    if (!kind_is_workload(from->kind))
        o->desired = 1;
    text_copy(o->target.kind, sizeof o->target.kind, from->kind);
    text_copy(o->target.name, sizeof o->target.name, from->name);
    snprintf(o->target.uid, sizeof o->target.uid, "uid-%zu", s->objects_len + 1);
    text_copy(o->template, sizeof o->template, from->template);
    text_copy(o->owner, sizeof o->owner, from->owner ? from->owner : "");
    o->ignored = from->ignored;
    o->sum = from->template_sum;
    remember_template(o);
    o->template_ms = o->well_ms = s->now_ms - LONG_AGO_MS;
    s->objects_len++;
    return ERR_OK;
}

enum err_code stage_begin(struct stage *s, const struct script *script, const struct script_test *t,
                          const char *folder, struct err *e)
{
    *s = (struct stage){
        .folder = folder, .test = t, .prometheus = script->prometheus, .now_ms = t->start_ms
    };
    enum err_code code = ERR_OK;
    for (size_t i = 0; i < t->objects_len && !code; i++) {
        if (t->objects[i].manifest)
            code = manifest_read(&t->objects[i], folder, e);
        if (!code)
            code = add_object(s, &t->objects[i], e);
    }
    return code;
}

struct stage_object *stage_find(struct stage *s, const char *name)
{
    for (size_t i = 0; i < s->objects_len; i++) {
        const struct target *t = &s->objects[i].target;
        size_t len = strlen(t->namespace);
        if (len == 0 ? strcmp(name, t->name) == 0
                     : strncmp(name, t->namespace, len) == 0 && name[len] == '/' &&
                           strcmp(name + len + 1, t->name) == 0)
            return &s->objects[i];
    }
    return NULL;
}

bool stage_is_well(const struct stage *s, const struct stage_object *o)
{
    return !o->broken && s->now_ms >= o->rolled_ms && o->desired > 0;
}

bool stage_settle(struct stage *s)
{
    bool changed = false;
    for (size_t i = 0; i < s->objects_len; i++) {
        struct stage_object *o = &s->objects[i];
        bool well = stage_is_well(s, o);
        if (well == (o->well_ms != 0))
            continue;
        o->well_ms = well ? s->now_ms : 0;
        o->version++;
        changed = true;
    }
    return changed;
}

int64_t stage_next_ms(const struct stage *s)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < s->objects_len; i++)
        if (s->objects[i].rolled_ms > s->now_ms && s->objects[i].rolled_ms < next)
            next = s->objects[i].rolled_ms;
    return next;
}

/* ---- what happens ---- */

static void mend(struct stage *s, struct stage_object *o)
{
    o->broken = NULL;
    o->worse = false;
    o->rolled_ms = o->rolled_ms > s->now_ms ? o->rolled_ms : s->now_ms;
    o->version++;
}

static void set_answer(struct stage *s, const struct script_event *v)
{
    size_t k = 0;
    while (k < s->answers_len && strcmp(s->answers[k]->query, v->query) != 0)
        k++;
    if (k < STAGE_ANSWERS_MAX)
        s->answers[k] = v;
    s->answers_len += k == s->answers_len && k < STAGE_ANSWERS_MAX;
}

static void take_manifest(struct stage *s, struct stage_object *o, const struct script_object *read)
{
    char template[HASH_SIZE];
    text_copy(template, sizeof template, read->template ? read->template : o->template);
    if (read->template_sum && read->template_sum != o->sum) {
        if (strcmp(template, o->template) == 0) /* another template with the same image */
            snprintf(template, sizeof template, "%.20s#%08x", read->template, (unsigned)read->template_sum);
        set_template(s, o, template);
        o->broken = NULL;
        o->sum = read->template_sum;
    }
    o->desired = (int32_t)read->replicas;
    o->ignored = read->ignored;
    text_copy(o->owner, sizeof o->owner, read->owner ? read->owner : "");
    o->version++;
}

/* Somebody applies a file. */
static enum err_code apply_manifest(struct stage *s, const struct script_event *v, struct stage_object **ret,
                                    struct err *e)
{
    char name[NAMESPACE_SIZE + OBJECT_NAME_SIZE + 1];
    struct script_object read = { .manifest = v->manifest, .replicas = 1 };
    enum err_code code = manifest_read(&read, s->folder, e);
    snprintf(name, sizeof name, "%.62s/%.250s", read.namespace ? read.namespace : "default",
             read.name ? read.name : "");
    *ret = code ? NULL : stage_find(s, name);
    if (*ret)
        take_manifest(s, *ret, &read);
    else if (!code)
        code = err_set(e, ERR_INVALID, "line %d: \"%s\" is the object \"%s\", which is not among \"objects\"",
                       v->line, v->manifest, name);
    free(read.namespace);
    free(read.name);
    free(read.kind);
    free(read.owner);
    free(read.template);
    map_release(&read.labels);
    return code;
}

enum err_code stage_event(struct stage *s, const struct script_event *v, struct stage_object **ret,
                          struct err *e)
{
    struct stage_object *o = v->object ? stage_find(s, v->object) : NULL;
    *ret = NULL;
    if (v->query)
        set_answer(s, v);
    if (v->manifest) {
        enum err_code code = apply_manifest(s, v, &o, e);
        if (code)
            return code;
    }
    if (v->object && !o)
        return err_set(e, ERR_INVALID, "line %d: there is no object \"%s\"; objects are named namespace/name",
                       v->line, v->object);
    if (!o)
        return ERR_OK;
    if (v->deploys) {
        set_template(s, o, v->deploys);
        o->broken = NULL;
    }
    if (v->scales >= 0)
        o->desired = (int32_t)v->scales;
    if (v->mends)
        mend(s, o);
    if (v->breaks) {
        o->broken = v;
        o->worse = false;
        o->broken_ms = s->now_ms;
    }
    o->version++;
    *ret = o;
    return ERR_OK;
}

static bool listed(const struct config_strings *actions, const char *action)
{
    for (size_t i = 0; i < actions->len; i++)
        if (strcmp(actions->list[i], action) == 0)
            return true;
    return false;
}

void stage_act(struct stage *s, const struct intent *n, struct act_report *ret)
{
    char name[NAMESPACE_SIZE + OBJECT_NAME_SIZE + 1], template[HASH_SIZE];
    snprintf(name, sizeof name, "%s/%s", n->target.namespace, n->target.name);
    struct stage_object *o = stage_find(s, name);
    *ret = (struct act_report){ .result = o ? ACT_DONE : ACT_FAILED, .sent_ms = s->now_ms };
    if (!o) {
        text_copy(ret->reason, sizeof ret->reason, "404 Not Found");
        return;
    }
    switch (n->proof) {
    case PROOF_RESTARTED_AT:
        text_copy(o->restarted_at, sizeof o->restarted_at, n->restarted_at);
        snprintf(template, sizeof template, "%.30s@%.30s", o->script->template, n->restarted_at);
        if (strchr(o->template, '@') == NULL)
            snprintf(template, sizeof template, "%.30s@%.30s", o->template, n->restarted_at);
        set_template(s, o, template);
        break;
    case PROOF_TEMPLATE_HASH:
        set_template(s, o, n->template_hash);
        break;
    case PROOF_REPLICAS:
        o->desired = n->replicas;
        o->rolled_ms = s->now_ms + o->script->rollout_ms;
        break;
    case PROOF_POD_GONE:
        o->pod++;
        o->rolled_ms = s->now_ms + o->script->rollout_ms;
        break;
    case PROOF_CHANGE:
        text_copy(o->changed, sizeof o->changed, n->undo ? "" : n->change);
        snprintf(template, sizeof template, "%.30s+%.30s", o->template, n->action);
        if (n->rolls)
            set_template(s, o, n->undo && o->history_len > 1 ? o->history[1] : template);
        break;
    }
    o->version++;
    if (o->broken && (n->undo || listed(&o->broken->worsened_by, n->action)))
        o->worse = !n->undo;
    if (o->broken && listed(&o->broken->mended_by, n->action))
        o->broken = NULL;
    memcpy(ret->template_hash, o->template, sizeof ret->template_hash);
}
