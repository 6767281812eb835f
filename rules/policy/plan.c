/* A plan as JSON, as an incident keeps it: written by this release, read by this one or a later. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

/* ---- what nodes and actions have in common with the loader ---- */

void nodes_free(struct node *list, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        nodes_free(list[i].then, list[i].then_len);
        nodes_free(list[i].otherwise, list[i].otherwise_len);
        free(list[i].notify);
    }
    free(list);
}

void plan_release(struct plan *p)
{
    free(p->name);
    nodes_free(p->steps, p->steps_len);
    nodes_free(p->otherwise, p->otherwise_len);
    *p = (struct plan){ .name = NULL };
}

struct plan *plan_free(struct plan *p)
{
    if (p)
        plan_release(p);
    free(p);
    return NULL;
}

const struct action_spec *action_find(const struct action_spec *actions, size_t len, const char *name)
{
    for (size_t i = 0; i < len; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    return NULL;
}

int64_t choice_index(const char *choices, const char *word)
{
    int64_t index = 0;
    size_t len = strlen(word);
    for (const char *p = choices; *p; index++) {
        size_t here = strcspn(p, "|");
        if (here == len && memcmp(p, word, len) == 0)
            return index;
        p += here;
        p += *p == '|';
    }
    return -1;
}

int64_t param_default(const struct action_param *param)
{
    if (!param->default_text)
        return 0;
    if (param->type == PARAM_INT)
        return strtoll(param->default_text, NULL, 10);
    int64_t index = choice_index(param->choices, param->default_text);
    return index < 0 ? 0 : index;
}

/* ---- writing ---- */

static const char *const changed_words[] = { [CHANGED_NOTHING] = "nothing", [CHANGED_TEMPLATE] = "template" };

static void write_nodes(struct json_writer *w, const char *key, const struct node *list, size_t len);

static void write_choice(struct json_writer *w, const struct action_param *param, int64_t index)
{
    const char *p = param->choices;
    for (int64_t i = 0; i < index; i++) {
        p += strcspn(p, "|");
        p += *p == '|';
    }
    jw_key(w, param->name);
    jw_string_len(w, p, strcspn(p, "|"));
}

static void write_do(struct json_writer *w, const struct node *n)
{
    jw_kstring(w, "do", n->action->name);
    jw_key(w, "params");
    jw_object(w);
    for (size_t i = 0; i < ACTION_PARAMS_MAX && n->action->params[i].name; i++) {
        if (n->action->params[i].type == PARAM_INT)
            jw_kint(w, n->action->params[i].name, n->params[i]);
        else
            write_choice(w, &n->action->params[i], n->params[i]);
    }
    jw_object_end(w);
    jw_kint(w, "retry", n->retry);
    jw_key(w, "verify");
    jw_object(w);
    jw_kbool(w, "rollout", n->verify.rollout);
    jw_kbool(w, "alert", n->verify.alert);
    jw_kint(w, "hold_ms", n->verify.hold_ms);
    jw_kint(w, "within_ms", n->verify.within_ms);
    jw_kint(w, "every_ms", n->verify.every_ms);
    jw_object_end(w);
}

static void write_node(struct json_writer *w, const struct node *n)
{
    jw_object(w);
    switch (n->type) {
    case NODE_DO:
        write_do(w, n);
        break;
    case NODE_WHEN:
        jw_key(w, "when");
        jw_object(w);
        jw_kstring(w, "changed", changed_words[n->changed]);
        jw_object_end(w);
        write_nodes(w, "then", n->then, n->then_len);
        write_nodes(w, "otherwise", n->otherwise, n->otherwise_len);
        break;
    case NODE_ESCALATE:
        jw_key(w, "escalate");
        jw_object(w);
        if (n->notify)
            jw_kstring(w, "notify", n->notify);
        jw_object_end(w);
        break;
    }
    jw_object_end(w);
}

static void write_nodes(struct json_writer *w, const char *key, const struct node *list, size_t len)
{
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < len; i++)
        write_node(w, &list[i]);
    jw_array_end(w);
}

void plan_write(struct json_writer *w, const struct plan *p)
{
    jw_object(w);
    jw_kstring(w, "name", p->name);
    write_nodes(w, "steps", p->steps, p->steps_len);
    write_nodes(w, "otherwise", p->otherwise, p->otherwise_len);
    jw_object_end(w);
}

/* ---- reading ---- */

struct reader {
    const struct action_spec *actions;
    size_t actions_len;
    size_t nodes; /* of the whole plan so far */
};

static enum err_code read_nodes(struct reader *r, const struct json *array, unsigned depth,
                                struct node_list *ret, struct err *e);

/* Refuse a member that this release does not know. `known` is "a|b|c". */
static enum err_code check_members(const struct json *object, const char *known, struct err *e)
{
    if (json_type(object) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "a plan holds something else where an object with %s belongs", known);
    for (const struct json *m = json_first(object); m; m = json_next(m)) {
        if (choice_index(known, json_name(m)) < 0)
            return err_set(
                e, ERR_VERSION,
                "a plan holds \"%s\", which this release does not know; run the release that wrote it",
                json_name(m));
    }
    return ERR_OK;
}

static enum err_code read_int(const struct json *object, const char *key, int64_t min, int64_t max,
                              int64_t *ret, struct err *e)
{
    int64_t n = json_int(json_get(object, key), INT64_MIN);
    if (n < min || n > max)
        return err_set(e, ERR_INVALID, "\"%s\" of a plan is not a number from %" PRId64 " to %" PRId64, key,
                       min, max);
    *ret = n;
    return ERR_OK;
}

static enum err_code read_bool(const struct json *object, const char *key, bool *ret, struct err *e)
{
    const struct json *value = json_get(object, key);
    if (json_type(value) != JSON_BOOL)
        return err_set(e, ERR_INVALID, "\"%s\" of a plan is not true or false", key);
    *ret = json_bool(value, false);
    return ERR_OK;
}

static enum err_code read_param(const struct action_param *param, const struct json *value, int64_t *ret,
                                struct err *e)
{
    if (!value) {
        *ret = param_default(param); /* the release that wrote it had no such parameter */
        return ERR_OK;
    }
    if (param->type == PARAM_INT) {
        int64_t n = json_int(value, INT64_MIN);
        if ((n < param->min || n > param->max) && n != param_default(param))
            return err_set(e, ERR_VERSION, "a plan gives \"%s\" a value that this release does not allow",
                           param->name);
        *ret = n;
        return ERR_OK;
    }
    int64_t index = choice_index(param->choices, json_string(value, ""));
    if (index < 0)
        return err_set(e, ERR_VERSION,
                       "a plan gives \"%s\" the value \"%s\", which this release does not know", param->name,
                       json_string(value, ""));
    *ret = index;
    return ERR_OK;
}

static enum err_code read_params(const struct json *object, struct node *ret, struct err *e)
{
    const struct action_param *params = ret->action->params;
    if (json_type(object) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "action \"%s\" of a plan has no \"params\"", ret->action->name);
    for (const struct json *m = json_first(object); m; m = json_next(m)) {
        bool known = false;
        for (size_t i = 0; i < ACTION_PARAMS_MAX && params[i].name; i++)
            known = known || strcmp(params[i].name, json_name(m)) == 0;
        if (!known)
            return err_set(
                e, ERR_VERSION,
                "a plan gives action \"%s\" the parameter \"%s\", which this release does not know",
                ret->action->name, json_name(m));
    }
    for (size_t i = 0; i < ACTION_PARAMS_MAX && params[i].name; i++) {
        enum err_code code = read_param(&params[i], json_get(object, params[i].name), &ret->params[i], e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static enum err_code read_verify(const struct json *object, struct verify *ret, struct err *e)
{
    enum err_code code = check_members(object, "rollout|alert|hold_ms|within_ms|every_ms", e);
    if (code == ERR_OK)
        code = read_bool(object, "rollout", &ret->rollout, e);
    if (code == ERR_OK)
        code = read_bool(object, "alert", &ret->alert, e);
    if (code == ERR_OK)
        code = read_int(object, "hold_ms", 0, INT64_MAX, &ret->hold_ms, e);
    if (code == ERR_OK)
        code = read_int(object, "within_ms", 1, INT64_MAX, &ret->within_ms, e);
    if (code == ERR_OK)
        code = read_int(object, "every_ms", 1, INT64_MAX, &ret->every_ms, e);
    return code;
}

static enum err_code read_do(struct reader *r, const struct json *j, struct node *ret, struct err *e)
{
    const char *name = json_string(json_get(j, "do"), "");
    int64_t retry = 0;
    enum err_code code = check_members(j, "do|params|retry|verify", e);
    if (code != ERR_OK)
        return code;
    ret->type = NODE_DO;
    ret->action = action_find(r->actions, r->actions_len, name);
    if (!ret->action)
        return err_set(
            e, ERR_VERSION,
            "a plan names action \"%s\", which this release does not have; run the release that wrote it",
            name);
    code = read_params(json_get(j, "params"), ret, e);
    if (code == ERR_OK)
        code = read_int(j, "retry", 0, UINT16_MAX, &retry, e);
    if (code == ERR_OK)
        code = read_verify(json_get(j, "verify"), &ret->verify, e);
    ret->retry = (uint32_t)retry;
    return code;
}

static enum err_code read_when(struct reader *r, const struct json *j, unsigned depth, struct node *ret,
                               struct err *e)
{
    const struct json *when = json_get(j, "when");
    struct node_list then = { .len = 0 }, otherwise = { .len = 0 };
    enum err_code code = check_members(j, "when|then|otherwise", e);
    if (code == ERR_OK)
        code = check_members(when, "changed", e);
    if (code != ERR_OK)
        return code;
    const char *changed = json_string(json_get(when, "changed"), "");
    int64_t index = choice_index("nothing|template", changed);
    if (index < 0)
        return err_set(e, ERR_VERSION, "a plan asks whether \"%s\" changed, which this release does not know",
                       changed);
    ret->type = NODE_WHEN;
    ret->changed = (enum change_kind)index;
    code = read_nodes(r, json_get(j, "then"), depth, &then, e);
    if (code == ERR_OK)
        code = read_nodes(r, json_get(j, "otherwise"), depth, &otherwise, e);
    ret->then = then.items;
    ret->then_len = then.len;
    ret->otherwise = otherwise.items;
    ret->otherwise_len = otherwise.len;
    return code;
}

static enum err_code read_escalate(const struct json *j, struct node *ret, struct err *e)
{
    const struct json *escalate = json_get(j, "escalate");
    enum err_code code = check_members(j, "escalate", e);
    if (code == ERR_OK)
        code = check_members(escalate, "notify", e);
    ret->type = NODE_ESCALATE;
    const char *notify = json_string(json_get(escalate, "notify"), NULL);
    if (code == ERR_OK && notify && !(ret->notify = strdup(notify)))
        return err_set(e, ERR_NOMEM, "no memory for a plan");
    return code;
}

static enum err_code read_node(struct reader *r, const struct json *j, unsigned depth, struct node *ret,
                               struct err *e)
{
    if (json_get(j, "do"))
        return read_do(r, j, ret, e);
    if (json_get(j, "when"))
        return read_when(r, j, depth, ret, e);
    if (json_get(j, "escalate"))
        return read_escalate(j, ret, e);
    return err_set(
        e, ERR_VERSION,
        "a plan holds a kind of step (\"%s\") that this release does not know; run the release that wrote it",
        json_first(j) ? json_name(json_first(j)) : "");
}

/* On failure *ret still holds what the caller is to free. */
static enum err_code read_nodes(struct reader *r, const struct json *array, unsigned depth,
                                struct node_list *ret, struct err *e)
{
    size_t len = json_len(array);
    if (json_type(array) != JSON_ARRAY)
        return err_set(e, ERR_INVALID, "a plan has no list where its steps belong");
    r->nodes += len;
    if (len > 0 && depth >= POLICY_PLAN_DEPTH_MAX)
        return err_set(e, ERR_LIMIT, "a plan is deeper than %u levels of steps", POLICY_PLAN_DEPTH_MAX);
    if (r->nodes > POLICY_PLAN_NODES_MAX)
        return err_set(e, ERR_LIMIT, "a plan has more than %u steps", POLICY_PLAN_NODES_MAX);
    ret->items = len > 0 ? calloc(len, sizeof *ret->items) : NULL;
    if (len > 0 && !ret->items)
        return err_set(e, ERR_NOMEM, "no memory for a plan");
    enum err_code code = ERR_OK;
    for (const struct json *j = json_first(array); ret->len < len && code == ERR_OK; j = json_next(j))
        code = read_node(r, j, depth + 1, &ret->items[ret->len++], e);
    return code;
}

enum err_code plan_parse(struct plan **ret, const struct json *j, const struct action_spec *actions,
                         size_t actions_len, struct err *e)
{
    struct reader r = { .actions = actions, .actions_len = actions_len };
    struct node_list steps = { .len = 0 }, otherwise = { .len = 0 };
    enum err_code code = check_members(j, "name|steps|otherwise", e);
    if (code != ERR_OK)
        return code;
    struct plan *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for a plan");
    p->name = strdup(json_string(json_get(j, "name"), ""));
    code = p->name ? read_nodes(&r, json_get(j, "steps"), 0, &steps, e)
                   : err_set(e, ERR_NOMEM, "no memory for a plan");
    p->steps = steps.items;
    p->steps_len = steps.len;
    if (code == ERR_OK)
        code = read_nodes(&r, json_get(j, "otherwise"), 0, &otherwise, e);
    p->otherwise = otherwise.items;
    p->otherwise_len = otherwise.len;
    if (code != ERR_OK) {
        plan_free(p);
        return code;
    }
    *ret = p;
    return ERR_OK;
}
