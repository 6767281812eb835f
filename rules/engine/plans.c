#include "rules/engine/plans.h"

#include <stdlib.h>
#include <string.h>

static enum err_code read_plan(const struct engine *g, const char *text, struct plan **ret, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    enum err_code code = json_parse(&doc, text, strlen(text), e);
    return code ? code : plan_parse(ret, json_root(doc), g->actions, g->actions_len, e);
}

static struct shared_plan *make(struct engine *g, const char *text, struct err *e)
{
    size_t size = strlen(text) + 1;
    struct shared_plan *s = malloc(sizeof *s + size);
    if (!s) {
        err_set(e, ERR_NOMEM, "no memory for a plan");
        return NULL;
    }
    memset(s, 0, sizeof *s);
    memcpy(s->text, text, size);
    if (read_plan(g, text, &s->plan, e) != ERR_OK) {
        free(s);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, g->plans, s->text, size - 1, s);
    if (!s->lost)
        return s;
    plan_free(s->plan);
    free(s);
    err_set(e, ERR_NOMEM, "no memory for a plan");
    return NULL;
}

enum err_code plans_take(struct engine *g, const char *text, struct plan **ret, struct err *e)
{
    struct shared_plan *s = NULL;
    struct err why = ERR_INIT;
    HASH_FIND_STR(g->plans, text, s);
    if (!s && !(s = make(g, text, &why))) {
        if (e)
            *e = why;
        return why.code;
    }
    s->users++;
    *ret = s->plan;
    return ERR_OK;
}

static void drop(struct engine *g, struct shared_plan *s)
{
    HASH_DEL(g->plans,
             s); /* NOLINT(clang-analyzer-unix.Malloc): it does not see that DEL moves the head on */
    plan_free(s->plan);
    free(s);
}

void plans_give(struct engine *g, struct plan **plan)
{
    struct shared_plan *s, *next;
    HASH_ITER (hh, g->plans, s, next) {
        if (!*plan || s->plan != *plan)
            continue;
        if (--s->users == 0)
            drop(g, s);
        break;
    }
    *plan = NULL;
}

void plans_release(struct engine *g)
{
    struct shared_plan *s, *next;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above */
    HASH_ITER (hh, g->plans, s, next)
        drop(g, s);
}
