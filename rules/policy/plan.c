/* A plan as JSON, as an incident keeps it: written by this release, read by this one or a later. */
#include "rules/policy/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/member.h"
#include "rules/policy/policy_internal.h"

const char *const phase_names[PHASE_END_] = {
    [PHASE_PREPARE] = "prepare",     [PHASE_STEPS] = "steps",       [PHASE_OTHERWISE] = "otherwise",
    [PHASE_STABILISE] = "stabilise", [PHASE_VALIDATE] = "validate", [PHASE_OPTIMISE] = "optimise",
    [PHASE_CLEANUP] = "cleanup",     [PHASE_REPORT] = "report"
};
#define PHASE_WORDS "prepare|steps|otherwise|stabilise|validate|optimise|cleanup|report"

/* ---- the members of each kind of step ---- */

#define AT(member) .offset = offsetof(struct node, member)
#define IN(type_, member_) .offset = offsetof(type_, member_)

static const struct member verify_members[] = {
    { .name = "rollout", .type = MEMBER_FLAG, IN(struct verify, rollout), .always = true },
    { .name = "alert", .type = MEMBER_FLAG, IN(struct verify, alert), .always = true },
    { .name = "hold_ms", .type = MEMBER_INT, IN(struct verify, hold_ms), .always = true },
    { .name = "within_ms", .type = MEMBER_INT, IN(struct verify, within_ms), .always = true },
    { .name = "every_ms", .type = MEMBER_INT, IN(struct verify, every_ms), .always = true },
    { .name = "promql",
      .type = MEMBER_GROUP,
      IN(struct verify, promql),
      .members = query_members,
      .read = query_members_read },
    { .name = "loki",
      .type = MEMBER_GROUP,
      IN(struct verify, loki),
      .members = query_members,
      .read = query_members_read },
    { .name = "http", .type = MEMBER_GROUP, IN(struct verify, http), .members = http_probe_members },
    { .name = "condition", .type = MEMBER_TEXT, IN(struct verify, condition) },
    { .name = "need", .type = MEMBER_INT, IN(struct verify, need), .max = 16 },
    { .name = "on_unknown", .type = MEMBER_CHOICE, IN(struct verify, on_unknown), .choices = UNKNOWN_WORDS },
    { .name = NULL },
};

static const struct member do_members[] = {
    { .name = "retry", .type = MEMBER_INT, AT(retry), .always = true, .max = UINT16_MAX },
    { .name = "backoff_ms", .type = MEMBER_INT, AT(backoff_ms) },
    { .name = "timeout_ms", .type = MEMBER_INT, AT(timeout_ms) },
    { .name = "undo", .type = MEMBER_BOOL, AT(undo) },
    { .name = "verify", .type = MEMBER_GROUP, AT(verify), .always = true, .members = verify_members },
    { .name = "name", .type = MEMBER_TEXT, AT(name) },
    { .name = NULL },
};
static const struct member escalate_members[] = { { .name = "notify", .type = MEMBER_TEXT, AT(notify) },
                                                  { .name = NULL } };
static const struct member gate_members[] = {
    { .name = "role", .type = MEMBER_TEXT, AT(gate.role) },
    { .name = "approvals", .type = MEMBER_INT, AT(gate.approvals), .always = true, .max = 5 },
    { .name = "expires_ms", .type = MEMBER_INT, AT(gate.expires_ms), .always = true },
    { .name = "notify", .type = MEMBER_TEXT, AT(notify) },
    { .name = "text", .type = MEMBER_TEXT, AT(text) },
    { .name = NULL },
};
static const struct member wait_members[] = {
    { .name = "for_ms", .type = MEMBER_INT, AT(wait.for_ms) },
    { .name = "within_ms", .type = MEMBER_INT, AT(wait.within_ms) },
    { .name = "every_ms", .type = MEMBER_INT, AT(wait.every_ms) },
    { .name = "on_timeout", .type = MEMBER_CHOICE, AT(wait.on_timeout), .choices = LATE_WORDS },
    { .name = "until", .type = MEMBER_GROUP, AT(when), .members = conditions_members },
    { .name = NULL },
};
static const struct member notify_members[] = {
    { .name = "to", .type = MEMBER_TEXT, AT(notify), .always = true },
    { .name = "text", .type = MEMBER_TEXT, AT(text) },
    { .name = NULL },
};
static const struct member stop_members[] = {
    { .name = "outcome", .type = MEMBER_CHOICE, AT(outcome), .always = true, .choices = STOP_WORDS },
    { .name = "text", .type = MEMBER_TEXT, AT(text) },
    { .name = NULL },
};
static const struct member choose_members[] = { { .name = "by_success", .type = MEMBER_FLAG, AT(by_success) },
                                                { .name = NULL } };
static const struct member parallel_members[] = {
    { .name = "need", .type = MEMBER_INT, AT(need), .max = POLICY_BRANCHES_MAX },
    { .name = "verify", .type = MEMBER_GROUP, AT(verify), .always = true, .members = verify_members },
    { .name = NULL },
};
static const struct member call_members[] = {
    { .name = "plan", .type = MEMBER_TEXT, AT(plan), .always = true }, { .name = NULL }
};
static const struct member name_members[] = { { .name = "name", .type = MEMBER_TEXT, AT(name) },
                                              { .name = NULL } };

/* A kind of step is known by the key under which its members stand; beside it stand its lists. */
static const struct kind {
    enum node_type type;
    const char *key;
    const struct member *members;
    size_t base;      /* of the members in a node */
    const char *also; /* lists beside it, and what name_members reads */
} kinds[] = {
    { NODE_WHEN, "when", conditions_members, offsetof(struct node, when), "when|then|otherwise" },
    { NODE_ESCALATE, "escalate", escalate_members, 0, "escalate" },
    { NODE_GATE, "gate", gate_members, 0, "gate" },
    { NODE_WAIT, "wait", wait_members, 0, "wait" },
    { NODE_NOTIFY, "notify", notify_members, 0, "notify" },
    { NODE_STOP, "stop", stop_members, 0, "stop" },
    { NODE_CHOOSE, "choose", choose_members, 0, "choose|branches" },
    { NODE_PARALLEL, "parallel", parallel_members, 0, "parallel|branches" },
    { NODE_CALL, "call", call_members, 0, "call|then" },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- freeing ---- */

static void node_release(struct node *n)
{
    members_release(do_members, n); /* name and verify, whatever the kind */
    for (size_t k = 0; k < KINDS; k++)
        members_release(kinds[k].members, (char *)n + kinds[k].base);
    for (size_t k = 0; k < ACTION_PARAMS_MAX; k++)
        free(n->texts[k]);
    nodes_free(n->then.items, n->then.len);
    nodes_free(n->otherwise.items, n->otherwise.len);
    for (size_t b = 0; b < n->branches_len; b++) {
        free(n->branches[b].name);
        nodes_free(n->branches[b].steps.items, n->branches[b].steps.len);
    }
    free(n->branches);
}

void nodes_free(struct node *list, size_t len)
{
    for (size_t i = 0; i < len; i++)
        node_release(&list[i]);
    free(list);
}

void plan_release(struct plan *p)
{
    free(p->name);
    plan_params_release(&p->params);
    config_strings_release(&p->needs);
    for (int phase = 0; phase < PHASE_END_; phase++)
        nodes_free(p->phases[phase].items, p->phases[phase].len);
    *p = (struct plan){ .name = NULL };
}

struct plan *plan_free(struct plan *p)
{
    if (p)
        plan_release(p);
    free(p);
    return NULL;
}

/* ---- writing ---- */

static void write_nodes(struct json_writer *w, const char *key, const struct node_list *list);

void plan_write_params(struct json_writer *w, const struct node *n)
{
    jw_object(w);
    for (size_t i = 0; i < ACTION_PARAMS_MAX && n->action->params[i].name; i++) {
        jw_key(w, n->action->params[i].name);
        if (n->action->params[i].type == PARAM_INT)
            jw_int(w, n->params[i]);
        else if (n->action->params[i].type == PARAM_TEXT)
            jw_string(w, n->texts[i] ? n->texts[i] : "");
        else
            choice_write(w, n->action->params[i].choices, n->params[i]);
    }
    jw_object_end(w);
}

static void write_do(struct json_writer *w, const struct node *n)
{
    jw_kstring(w, "do", n->action->name);
    jw_key(w, "params");
    plan_write_params(w, n);
    members_write(w, do_members, n);
}

static void write_branches(struct json_writer *w, const struct node *n)
{
    jw_key(w, "branches");
    jw_array(w);
    for (size_t b = 0; b < n->branches_len; b++) {
        jw_object(w);
        if (n->branches[b].name)
            jw_kstring(w, "name", n->branches[b].name);
        write_nodes(w, "steps", &n->branches[b].steps);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_kind(struct json_writer *w, const struct node *n)
{
    const struct kind *k = kinds;
    while (k->type != n->type)
        k++;
    jw_key(w, k->key);
    jw_object(w);
    members_write(w, k->members, (const char *)n + k->base);
    jw_object_end(w);
    if (choice_index(k->also, "then") >= 0)
        write_nodes(w, "then", &n->then);
    if (choice_index(k->also, "otherwise") >= 0)
        write_nodes(w, "otherwise", &n->otherwise);
    if (choice_index(k->also, "branches") >= 0)
        write_branches(w, n);
    members_write(w, name_members, n);
}

static void write_nodes(struct json_writer *w, const char *key, const struct node_list *list)
{
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < list->len; i++) {
        jw_object(w);
        if (list->items[i].type == NODE_DO)
            write_do(w, &list->items[i]);
        else
            write_kind(w, &list->items[i]);
        jw_object_end(w);
    }
    jw_array_end(w);
}

void plan_write(struct json_writer *w, const struct plan *p)
{
    jw_object(w);
    jw_kstring(w, "name", p->name);
    for (int phase = 0; phase < PHASE_END_; phase++)
        if (p->phases[phase].len || phase == PHASE_STEPS || phase == PHASE_OTHERWISE)
            write_nodes(w, phase_names[phase], &p->phases[phase]);
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

static enum err_code read_text_param(const struct action_param *param, const struct json *value, char **ret,
                                     struct err *e)
{
    const char *text = value ? json_string(value, NULL) : param->default_text ? param->default_text : "";
    if (!text || (int64_t)strlen(text) > param->max)
        return err_set(e, ERR_VERSION, "a plan gives \"%s\" a value that this release does not allow",
                       param->name);
    *ret = strdup(text);
    return *ret ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a plan");
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
        const struct json *value = json_get(object, params[i].name);
        enum err_code code = params[i].type == PARAM_TEXT
                                 ? read_text_param(&params[i], value, &ret->texts[i], e)
                                 : read_param(&params[i], value, &ret->params[i], e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static enum err_code read_do(struct reader *r, const struct json *j, struct node *ret, struct err *e)
{
    const char *name = json_string(json_get(j, "do"), "");
    ret->type = NODE_DO;
    ret->action = action_find(r->actions, r->actions_len, name);
    if (!ret->action)
        return err_set(
            e, ERR_VERSION,
            "a plan names action \"%s\", which this release does not have; run the release that wrote it",
            name);
    enum err_code code = read_params(json_get(j, "params"), ret, e);
    return code ? code : members_read(do_members, "do|params", j, ret, e);
}

static enum err_code read_branches(struct reader *r, const struct json *array, unsigned depth,
                                   struct node *ret, struct err *e)
{
    static const struct member branch_members[] = {
        { .name = "name", .type = MEMBER_TEXT, IN(struct branch, name) }, { .name = NULL }
    };
    size_t len = json_len(array);
    if (json_type(array) != JSON_ARRAY || len > POLICY_BRANCHES_MAX)
        return err_set(e, ERR_INVALID, "a plan has no list of at most %u branches where one belongs",
                       POLICY_BRANCHES_MAX);
    ret->branches = len ? calloc(len, sizeof *ret->branches) : NULL;
    if (len && !ret->branches)
        return err_set(e, ERR_NOMEM, "no memory for a plan");
    for (const struct json *j = json_first(array); j; j = json_next(j)) {
        struct branch *b = &ret->branches[ret->branches_len++];
        enum err_code code = members_read(branch_members, "steps", j, b, e);
        if (!code)
            code = read_nodes(r, json_get(j, "steps"), depth, &b->steps, e);
        if (code)
            return code;
    }
    return ERR_OK;
}

static enum err_code read_kind(struct reader *r, const struct kind *k, const struct json *j, unsigned depth,
                               struct node *ret, struct err *e)
{
    ret->type = k->type;
    enum err_code code = members_read(name_members, k->also, j, ret, e);
    if (!code)
        code = members_read(k->members, "", json_get(j, k->key), (char *)ret + k->base, e);
    if (!code && choice_index(k->also, "then") >= 0)
        code = read_nodes(r, json_get(j, "then"), depth, &ret->then, e);
    if (!code && choice_index(k->also, "otherwise") >= 0)
        code = read_nodes(r, json_get(j, "otherwise"), depth, &ret->otherwise, e);
    if (!code && choice_index(k->also, "branches") >= 0)
        code = read_branches(r, json_get(j, "branches"), depth, ret, e);
    return code;
}

static enum err_code read_node(struct reader *r, const struct json *j, unsigned depth, struct node *ret,
                               struct err *e)
{
    if (json_get(j, "do"))
        return read_do(r, j, ret, e);
    for (size_t k = 0; k < KINDS; k++)
        if (json_get(j, kinds[k].key))
            return read_kind(r, &kinds[k], j, depth, ret, e);
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
    static const struct member plan_members[] = {
        { .name = "name", .type = MEMBER_TEXT, IN(struct plan, name), .always = true }, { .name = NULL }
    };
    struct reader r = { .actions = actions, .actions_len = actions_len };
    struct plan *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for a plan");
    enum err_code code = members_read(plan_members, PHASE_WORDS, j, p, e);
    for (int phase = 0; phase < PHASE_END_ && !code; phase++) {
        const struct json *list = json_get(j, phase_names[phase]);
        if (list || phase == PHASE_STEPS || phase == PHASE_OTHERWISE)
            code = read_nodes(&r, list, 0, &p->phases[phase], e);
    }
    if (code) {
        plan_free(p);
        return code;
    }
    *ret = p;
    return ERR_OK;
}
