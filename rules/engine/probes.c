#include "rules/engine/probes.h"

#include <stdio.h>
#include <string.h>

#include "rules/policy/template.h"

static const char *const systems[] = {
    [PROBE_PROMQL] = "promql", [PROBE_LOKI] = "loki", [PROBE_HTTP] = "http"
};

struct probing probing_for(const struct incident *i, const struct target *target, const struct observation *o)
{
    bool seen = o && (o->needs & OBSERVE_PODS) && o->fault;
    return (struct probing){ .i = i,
                             .target = target,
                             .evidence = i->evidence ? i->evidence
                                         : seen      ? &o->evidence
                                                     : NULL };
}

/* False: *ret_why says why it cannot be asked. */
static bool fill(struct probe *ret, const struct probing *p, enum probe_kind kind, const char *text,
                 const char *body, char ret_why[FACT_TEXT_SIZE])
{
    CLEANUP(buf_release) struct buf whole = BUF_INIT;
    const struct template_values values = { .labels = &p->i->labels,
                                            .annotations = &p->i->annotations,
                                            .target = p->target,
                                            .evidence = p->evidence };
    struct err e = ERR_INIT;
    memset(ret, 0, sizeof *ret);
    ret->kind = kind;
    enum err_code code =
        template_render(&whole, text, kind == PROBE_HTTP ? PLACE_URL : PLACE_QUERY, &values, &e);
    if (code == ERR_OK && (!text_copy(ret->text, sizeof ret->text, buf_text(&whole)) ||
                           !text_copy(ret->body, sizeof ret->body, body ? body : "")))
        code = err_set(&e, ERR_LIMIT, "filled in it is longer than %d bytes", PROBE_TEXT_SIZE - 1);
    if (code != ERR_OK)
        snprintf(ret_why, FACT_TEXT_SIZE, "%s cannot be asked: %.200s", systems[kind], e.msg);
    return code == ERR_OK;
}

static void add(struct probe_list *l, const struct probing *p, enum probe_kind kind, const char *text,
                const char *body)
{
    char why[FACT_TEXT_SIZE];
    struct probe made;
    if (!text || l->len == PROBES_MAX || !fill(&made, p, kind, text, body, why))
        return;
    for (size_t k = 0; k < l->len; k++)
        if (probe_key(&l->list[k]) == probe_key(&made))
            return;
    l->list[l->len++] = made;
}

void probes_of_conditions(struct probe_list *l, const struct probing *p, const struct conditions *c)
{
    add(l, p, PROBE_PROMQL, c->promql.query, NULL);
    add(l, p, PROBE_LOKI, c->loki.query, NULL);
    add(l, p, PROBE_HTTP, c->http.url, c->http.body);
    for (size_t k = 0; k < c->not_all_len; k++)
        probes_of_conditions(l, p, &c->not_all[k]);
    for (size_t k = 0; k < c->any_len; k++)
        probes_of_conditions(l, p, &c->any[k]);
}

void probes_of_verify(struct probe_list *l, const struct probing *p, const struct verify *v)
{
    add(l, p, PROBE_PROMQL, v->promql.query, NULL);
    add(l, p, PROBE_LOKI, v->loki.query, NULL);
    add(l, p, PROBE_HTTP, v->http.url, v->http.body);
}

void probes_of_brakes(struct probe_list *l, const struct probing *p, const struct environment *env)
{
    for (size_t k = 0; k < env->brakes_len; k++)
        add(l, p, PROBE_PROMQL, env->brakes[k].query, NULL);
}

static const struct probe_answer *answer_to(const struct probe *p, const struct observation *o)
{
    uint64_t key = probe_key(p);
    for (size_t k = 0; k < o->probes_len; k++)
        if (o->probes[k].key == key)
            return &o->probes[k];
    return NULL;
}

bool probes_answered(const struct probe_list *l, const struct observation *o)
{
    for (size_t k = 0; k < l->len; k++)
        if (!answer_to(&l->list[k], o))
            return false;
    return true;
}

/* The answer, or NULL with the reason. */
static const struct probe_answer *find(const struct probing *p, const struct observation *o,
                                       enum probe_kind kind, const char *text, const char *body,
                                       char ret_why[FACT_TEXT_SIZE])
{
    struct probe made;
    if (!fill(&made, p, kind, text, body, ret_why))
        return NULL;
    const struct probe_answer *a = answer_to(&made, o);
    if (!a)
        snprintf(ret_why, FACT_TEXT_SIZE, "%s was not asked: at most %d questions go with one look",
                 systems[kind], PROBES_MAX);
    else if (a->state != PROBE_ANSWERED)
        snprintf(ret_why, FACT_TEXT_SIZE, "%s has no data: %.200s", systems[kind], a->text);
    return a && a->state == PROBE_ANSWERED ? a : NULL;
}

enum condition_answer probe_ask_query(const struct probing *p, const struct observation *o,
                                      enum probe_kind kind, const struct query *q,
                                      char ret_why[FACT_TEXT_SIZE])
{
    if (!q->query)
        return CONDITION_YES;
    const struct probe_answer *a = find(p, o, kind, q->query, NULL, ret_why);
    if (!a)
        return CONDITION_UNANSWERED;
    if (comparison_holds(q, a->series, a->least, a->most))
        return CONDITION_YES;
    snprintf(ret_why, FACT_TEXT_SIZE, "%s gives %.100s, not %.60s", systems[kind], a->text,
             q->is ? q->is : "any");
    return CONDITION_NO;
}

enum condition_answer probe_ask_http(const struct probing *p, const struct observation *o,
                                     const struct http_probe *h, char ret_why[FACT_TEXT_SIZE])
{
    if (!h->url)
        return CONDITION_YES;
    const struct probe_answer *a = find(p, o, PROBE_HTTP, h->url, h->body, ret_why);
    if (!a)
        return CONDITION_UNANSWERED;
    bool good = h->status ? a->status == h->status : a->status >= 200 && a->status < 300;
    if (good && (!h->body || a->body_matches))
        return CONDITION_YES;
    snprintf(ret_why, FACT_TEXT_SIZE, "http answers %d%s", (int)a->status,
             good ? ", without what was looked for" : "");
    return CONDITION_NO;
}
