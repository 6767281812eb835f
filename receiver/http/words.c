/* A request that an operator makes, read as a word to the core. */
#include <string.h>

#include "receiver/http/http_internal.h"
#include "rules/base/timetext.h"

/* A text of the body into a member; refuses what is too long. */
static void take_text(struct request *r, const struct json *body, const char *key, char *ret, size_t size)
{
    if (!text_copy(ret, size, json_string(json_get(body, key), "")))
        refuse(r, 400, "\"%s\" is longer than %zu bytes", key, size - 1);
}

static bool ends_in(const char *path, const char *end)
{
    return strcmp(strrchr(path, '/'), end) == 0;
}

static bool listed(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = list; len && (p = strstr(p, name)); p += len)
        if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
            return true;
    return false;
}

static void refuse_unknown(struct request *r, const struct json *body, const char *keys)
{
    for (const struct json *m = json_first(body); m; m = json_next(m)) {
        if (!listed(keys, json_name(m)))
            refuse(r, 400, "the body has a key \"%.60s\"; it may have: %s", json_name(m), keys);
        else if (json_type(m) != JSON_STRING)
            refuse(r, 400, "\"%.60s\" must be a text", json_name(m));
    }
}

static void read_pause(struct request *r, const struct json *body, struct input *ret, int64_t *ret_for_ms)
{
    static const enum pause_scope scopes[] = { PAUSE_ENVIRONMENT, PAUSE_RULE, PAUSE_NAMESPACE };
    const char *duration = json_string(json_get(body, "for"), NULL);
    struct err e = ERR_INIT;
    bool pause = ends_in(r->route->path, "/pause");
    refuse_unknown(r, body,
                   pause ? "reason environment rule namespace for" : "reason environment rule namespace");
    ret->kind = pause ? INPUT_PAUSE : INPUT_RESUME;
    for (size_t k = 0; k < sizeof scopes / sizeof scopes[0]; k++) {
        const char *key = pause_scope_name(scopes[k]);
        if (!json_get(body, key))
            continue;
        if (ret->scope != PAUSE_EVERYWHERE)
            refuse(r, 400, "name one of environment, rule and namespace");
        ret->scope = scopes[k];
        take_text(r, body, key, ret->name, sizeof ret->name);
        if (!ret->name[0])
            refuse(r, 400, "\"%s\" is empty", key);
    }
    if (pause && !ret->text[0])
        refuse(r, 400, "say why: {\"reason\": \"...\"}");
    if (duration && (duration_parse(ret_for_ms, duration, &e) != ERR_OK || *ret_for_ms <= 0))
        refuse(r, 400, "\"for\" is no time: %s", e.msg[0] ? e.msg : duration);
}

static void read_heal(struct request *r, const struct json *body, struct input *ret)
{
    refuse_unknown(r, body, "reason rule plan cluster namespace kind name");
    ret->kind = INPUT_HEAL;
    take_text(r, body, "rule", ret->name, sizeof ret->name);
    take_text(r, body, "plan", ret->plan, sizeof ret->plan);
    take_text(r, body, "cluster", ret->target.cluster, sizeof ret->target.cluster);
    take_text(r, body, "namespace", ret->target.namespace, sizeof ret->target.namespace);
    take_text(r, body, "kind", ret->target.kind, sizeof ret->target.kind);
    take_text(r, body, "name", ret->target.name, sizeof ret->target.name);
    if (!ret->name[0] == !ret->plan[0])
        refuse(r, 400, "name either a rule or a plan");
}

static void read_answer(struct request *r, const struct json *body, struct input *ret)
{
    static const struct {
        const char *end;
        enum word word;
    } words[] = { { "/approve", WORD_APPROVE },
                  { "/deny", WORD_DENY },
                  { "/cancel", WORD_CANCEL },
                  { "/retry", WORD_RETRY } };
    const char *end = strrchr(r->route->path, '/');
    CLEANUP(buf_release) struct buf groups = BUF_INIT;
    refuse_unknown(r, body, "reason hash");
    ret->kind = INPUT_WORD;
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        if (strcmp(words[k].end, end) == 0)
            ret->word = words[k].word;
    memcpy(ret->incident, r->incident, sizeof ret->incident);
    take_text(r, body, "hash", ret->hash, sizeof ret->hash);
    for (size_t k = 0; r->operator&& k<r->operator->groups.len; k++)
        buf_addf(&groups, "%s%s", k ? "," : "", r->operator->groups.list[k]);
    if (!text_copy(ret->groups, sizeof ret->groups, buf_text(&groups)))
        refuse(r, 500, "the operator's groups in heald.cfg are longer than %d bytes",
               OPERATOR_GROUPS_SIZE - 1);
    bool must_say_why = ret->word == WORD_DENY || ret->word == WORD_CANCEL;
    if (must_say_why && !ret->text[0])
        refuse(r, 400, "say why: {\"reason\": \"...\"}");
}

void word_of(struct request *r, struct input *ret, int64_t *ret_for_ms)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    *ret = (struct input){ .kind = INPUT_PAUSE };
    *ret_for_ms = 0;
    text_copy(ret->who, sizeof ret->who, r->who);
    if (r->body.len && json_parse(&doc, buf_text(&r->body), r->body.len, &e) != ERR_OK) {
        refuse(r, 400, "the body is not JSON as {\"reason\": \"...\"}: %s", e.msg);
        return;
    }
    const struct json *body = doc ? json_root(doc) : NULL;
    if (body && json_type(body) != JSON_OBJECT) {
        refuse(r, 400, "the body is no JSON object");
        return;
    }
    take_text(r, body, "reason", ret->text, sizeof ret->text);
    if (ends_in(r->route->path, "/heal"))
        read_heal(r, body, ret);
    else if (strchr(r->route->path, '*'))
        read_answer(r, body, ret);
    else
        read_pause(r, body, ret, ret_for_ms);
}
