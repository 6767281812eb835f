/* A request's query, checked against what its route takes (docs.c): what nobody asked for is refused, so that
 * a misspelt filter does not show everything. */
#include <stdlib.h>
#include <string.h>

#include "receiver/http/http_internal.h"
#include "rules/base/timetext.h"

static const struct doc_param *param_of(const struct route_doc *doc, const char *name)
{
    for (const struct doc_param *p = doc ? doc->query : NULL; p && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static bool is_choice(const char *choices, const char *word)
{
    size_t len = strlen(word);
    if (!len)
        return choices[0] == '|';
    for (const char *at = choices; len && (at = strstr(at, word)); at += len)
        if ((at == choices || at[-1] == '|') && (at[len] == '|' || at[len] == '\0'))
            return true;
    return false;
}

static void take_number(struct request *r, struct query_arg *a)
{
    const struct doc_param *p = a->param;
    char *end = NULL;
    size_t digits = strspn(a->value, "0123456789");
    a->number = digits && digits < 19 ? strtoll(a->value, &end, 10) : -1;
    if (!end || *end || a->number < p->least || a->number > p->most)
        refuse(r, 400, "\"%s\" must be a number from %lld to %lld", p->name, (long long)p->least,
               (long long)p->most);
}

static void check(struct request *r, struct query_arg *a)
{
    const struct doc_param *p = a->param;
    struct err e = ERR_INIT;
    size_t len = strlen(a->value);
    if (len > QUERY_VALUE_MAX || json_check_text((const unsigned char *)a->value, len))
        refuse(r, 400, "\"%s\" must be UTF-8 of at most %u bytes", p->name, QUERY_VALUE_MAX);
    else if (p->type == DOC_NUMBER)
        take_number(r, a);
    else if (p->type == DOC_MOMENT && time_parse(&a->number, a->value, len, &e) != ERR_OK)
        refuse(r, 400, "\"%s\" must be a time like 2026-08-20T09:15:00Z: %s", p->name, e.msg);
    else if (p->type == DOC_WORD && p->choices && !is_choice(p->choices, a->value))
        refuse(r, 400, "\"%s\" must be one of %s", p->name, p->choices);
    else if (p->type == DOC_LABELS && (a->value[0] == '=' || !strchr(a->value, '=')))
        refuse(r, 400, "\"%s\" must be NAME=VALUE", p->name);
}

static enum MHD_Result on_arg(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct request *r = ctx;
    const struct doc_param *p = param_of(r->doc, name);
    (void)kind;
    if (!p) {
        refuse(r, 400, "the query has \"%.60s\", which this path does not take", name);
        return MHD_NO;
    }
    if (p->type != DOC_LABELS && query_arg(r, name)) {
        refuse(r, 400, "the query has \"%s\" twice", name);
        return MHD_NO;
    }
    if (r->args_len == QUERY_ARGS_MAX) {
        metrics_add(r->server->metrics, METRIC_LIMITS, "query", NULL, 1);
        refuse(r, 400, "the query has more than %d parts", QUERY_ARGS_MAX);
        return MHD_NO;
    }
    struct query_arg *a = &r->args[r->args_len++];
    *a = (struct query_arg){ .param = p, .value = value ? value : "" };
    check(r, a);
    return r->refusal.status ? MHD_NO : MHD_YES;
}

void query_take(struct request *r)
{
    r->doc = route_doc(r->route);
    MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, on_arg, r);
    for (const struct doc_param *p = r->doc ? r->doc->query : NULL; p && p->name; p++)
        if (p->required && !query_arg(r, p->name))
            refuse(r, 400, "\"%s\" is missing from the query: %s", p->name, p->help);
}

const struct query_arg *query_arg(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->args_len; i++)
        if (strcmp(r->args[i].param->name, name) == 0)
            return &r->args[i];
    return NULL;
}

int64_t query_number(const struct request *r, const char *name, int64_t fallback)
{
    const struct query_arg *a = query_arg(r, name);
    return a ? a->number : fallback;
}

const char *query_text(const struct request *r, const char *name)
{
    const struct query_arg *a = query_arg(r, name);
    return a ? a->value : NULL;
}
