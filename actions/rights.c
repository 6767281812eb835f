#include "actions/rights.h"

#include <stdio.h>
#include <string.h>

#include "actions/kube/kube.h"
#include "rules/model/kind.h"

/* ---- the catalogue's texts ---- */

/* "apps" in front of "deployments" is a group, "pods" in front of "eviction" a resource. */
static bool is_group(const char *word, size_t len)
{
    static const char *const plain[] = { "apps", "batch", "autoscaling", "policy", "extensions" };
    for (size_t k = 0; k < sizeof plain / sizeof plain[0]; k++)
        if (strlen(plain[k]) == len && memcmp(plain[k], word, len) == 0)
            return true;
    return memchr(word, '.', len) != NULL;
}

static bool take(char *ret, size_t size, const char *word, size_t len)
{
    if (len == 0 || len >= size)
        return false;
    memcpy(ret, word, len);
    ret[len] = '\0';
    return true;
}

static enum err_code add_one(struct rights *r, const struct right *one, struct err *e)
{
    for (size_t i = 0; i < r->len; i++)
        if (right_equal(&r->list[i], one))
            return ERR_OK;
    if (r->len == RIGHTS_MAX)
        return err_set(e, ERR_LIMIT, "the policy needs more than %u rights", RIGHTS_MAX);
    r->list[r->len++] = *one;
    return ERR_OK;
}

/* "get,patch" of what `one` names. */
static enum err_code add_verbs(struct rights *r, struct right *one, const char *verbs, size_t len,
                               struct err *e)
{
    for (const char *end = verbs + len; verbs < end;) {
        size_t word = strcspn(verbs, ", ");
        if (!take(one->verb, sizeof one->verb, verbs, word))
            return err_set(e, ERR_INVALID, "a verb is missing, or too long, at \"%.40s\"", verbs);
        enum err_code code = add_one(r, one, e);
        if (code)
            return code;
        verbs += word + 1;
    }
    return ERR_OK;
}

/* "apps/deployments/scale": the group stays for the resources behind it. */
static bool take_resource(struct right *one, const char *text, size_t len)
{
    const char *slash = memchr(text, '/', len), *end = text + len;
    if (slash && is_group(text, (size_t)(slash - text))) {
        if (!take(one->group, sizeof one->group, text, (size_t)(slash - text)))
            return false;
        text = slash + 1;
        slash = memchr(text, '/', (size_t)(end - text));
    }
    one->subresource[0] = '\0';
    if (slash && !take(one->subresource, sizeof one->subresource, slash + 1, (size_t)(end - slash - 1)))
        return false;
    return take(one->resource, sizeof one->resource, text, (size_t)((slash ? slash : end) - text));
}

/* "get,patch apps/deployments,statefulsets" */
static enum err_code add_part(struct rights *r, const char *part, size_t len, const char *why, struct err *e)
{
    struct right one = { .why = why };
    const char *space = memchr(part, ' ', len), *end = part + len;
    for (const char *at = space ? space + 1 : NULL; at && at < end;) {
        size_t word = strcspn(at, ",;");
        if (!take_resource(&one, at, word))
            return err_set(e, ERR_INVALID, "no resource at \"%.40s\"", at);
        enum err_code code = add_verbs(r, &one, part, (size_t)(space - part), e);
        if (code)
            return code;
        at += word + 1;
    }
    return space && space + 1 < end ? ERR_OK
                                    : err_set(e, ERR_INVALID, "no resource behind the verbs \"%.40s\"", part);
}

enum err_code rights_add(struct rights *r, const char *text, const char *why, struct err *e)
{
    enum err_code code = ERR_OK;
    while (!code && *text) {
        size_t len = strcspn(text, ";");
        code = add_part(r, text, len, why, e);
        text += len + strspn(text + len, "; ");
    }
    return code;
}

bool right_equal(const struct right *a, const struct right *b)
{
    return strcmp(a->verb, b->verb) == 0 && strcmp(a->group, b->group) == 0 &&
           strcmp(a->resource, b->resource) == 0 && strcmp(a->subresource, b->subresource) == 0;
}

bool right_reads(const struct right *r)
{
    return strcmp(r->verb, "get") == 0 || strcmp(r->verb, "list") == 0 || strcmp(r->verb, "watch") == 0;
}

/* A namespace is read with the rights inside it. */
bool right_has_namespace(const struct right *r)
{
    static const char *const without[] = { "nodes", "persistentvolumes", "storageclasses" };
    for (size_t k = 0; k < sizeof without / sizeof without[0]; k++)
        if (strcmp(without[k], r->resource) == 0)
            return false;
    return true;
}

const char *right_format(char ret[RIGHT_TEXT_SIZE], const struct right *r)
{
    snprintf(ret, RIGHT_TEXT_SIZE, "%s %s%s%s%s%s", r->verb, r->resource, r->group[0] ? "." : "", r->group,
             r->subresource[0] ? "/" : "", r->subresource);
    return ret;
}

/* ---- a policy ---- */

static void walk_list(const struct policy *p, const struct node_list *l, bool writes,
                      struct used_actions *ret)
{
    for (size_t i = 0; i < l->len; i++) {
        const struct node *n = &l->items[i];
        size_t at = n->type == NODE_DO ? (size_t)(n->action - p->actions) : ACTIONS_MAX;
        if (at < ACTIONS_MAX) {
            ret->used[at] = true;
            ret->written[at] = ret->written[at] || writes;
        }
        walk_list(p, &n->then, writes, ret);
        walk_list(p, &n->otherwise, writes, ret);
        for (size_t b = 0; b < n->branches_len; b++)
            walk_list(p, &n->branches[b].steps, writes, ret);
    }
}

void policy_used_actions(const struct policy *p, struct used_actions *ret)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < p->rules_len; i++) {
        const struct rule *r = &p->rules[i];
        bool writes = r->mode == MODE_ACT && (!r->team || r->team->mode == MODE_ACT);
        for (int phase = 0; r->enabled && r->plan && phase < PHASE_END_; phase++)
            walk_list(p, &r->plan->phases[phase], writes, ret);
    }
}

static enum err_code add_action(struct rights *r, const struct action_spec *action, bool writes,
                                struct err *e)
{
    size_t before = r->len;
    enum err_code code = rights_add(r, action->verbs, action->name, e);
    if (code)
        return err_wrap(e, code, "action \"%s\"", action->name);
    for (size_t i = before; !writes && i < r->len;) {
        if (right_reads(&r->list[i]))
            i++;
        else
            r->list[i] = r->list[--r->len];
    }
    return ERR_OK;
}

/* What looking at a kind of target takes beyond what all of them take. */
static enum err_code add_kind(struct rights *r, const char *kind, bool listed, struct err *e)
{
    char text[2 * RIGHT_WORD_SIZE];
    if (!kind || !kind_find(kind))
        return ERR_OK;
    snprintf(text, sizeof text, "get%s %s", listed ? ",list" : "", kube_resource(kind));
    enum err_code code = rights_add(r, text, "", e);
    if (!code && strcmp(kind, "Service") == 0)
        code = rights_add(r, "list discovery.k8s.io/endpointslices", "", e);
    return code;
}

static enum err_code add_targets(struct rights *r, const struct rule *rule, struct err *e)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; !code && i < rule->targets_len; i++) {
        const struct target_spec *t = &rule->targets[i];
        const struct kind *from = kind_by_word(target_from_word(t->from));
        code = add_kind(r, from ? from->name : t->kind, t->selector != NULL, e);
        if (!code)
            code = add_kind(r, t->owner, false, e);
    }
    return code;
}

enum err_code rights_of_policy(struct rights *ret, const struct policy *p, struct err *e)
{
    struct used_actions used;
    ret->len = 0;
    policy_used_actions(p, &used);
    enum err_code code = rights_add(ret, RIGHTS_OF_LOOKING, "", e);
    for (size_t i = 0; !code && i < p->actions_len && i < ACTIONS_MAX; i++)
        if (used.used[i])
            code = add_action(ret, &p->actions[i], used.written[i], e);
    for (size_t i = 0; !code && i < p->rules_len; i++)
        if (p->rules[i].enabled)
            code = add_targets(ret, &p->rules[i], e);
    return code;
}

/* ---- where ---- */

enum fit { FIT_NO, FIT_MAYBE, FIT_YES };

static enum fit fits(const struct matchers *m, const char *cluster, const char *namespace)
{
    enum fit fit = FIT_YES;
    for (size_t i = 0; i < m->len; i++) {
        const char *value = strcmp(m->list[i].name, "cluster") == 0     ? cluster
                            : strcmp(m->list[i].name, "namespace") == 0 ? namespace
                                                                        : NULL;
        if (!value)
            fit = FIT_MAYBE;
        else if (!matcher_matches_value(&m->list[i], value))
            return FIT_NO;
    }
    return fit;
}

bool policy_may_look(const struct policy *p, const char *cluster, const char *namespace)
{
    for (size_t i = 0; i < p->ignore.len; i++)
        if (fits(&p->ignore.list[i], cluster, namespace) == FIT_YES)
            return false;
    return true;
}

bool policy_may_act(const struct policy *p, const char *cluster, const char *namespace)
{
    if (!policy_may_look(p, cluster, namespace))
        return false;
    for (size_t i = 0; i < p->environments_len; i++) {
        enum fit fit = fits(&p->environments[i].match, cluster, namespace);
        if (fit != FIT_NO && p->environments[i].mode == MODE_ACT)
            return true;
        if (fit == FIT_YES)
            return false; /* the first that matches is the one */
    }
    return false;
}
