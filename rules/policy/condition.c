#include "rules/policy/condition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/member.h"
#include "rules/policy/policy_internal.h"

/* ---- comparisons ---- */

enum err_code comparison_parse(struct query *ret, const char *is, struct err *e)
{
    size_t len = strcspn(is, " -+.0123456789");
    char word[8] = "";
    if (len > 0 && len < sizeof word)
        memcpy(word, is, len);
    int64_t index = choice_index(COMPARISON_WORDS, word);
    const char *number = is + len + strspn(is + len, " ");
    bool alone = index == COMPARE_ANY || index == COMPARE_EMPTY;
    char *end = NULL;
    double value = *number ? strtod(number, &end) : 0;
    if (index < 0 || alone != (*number == '\0') || (!alone && (*end || !isfinite(value))))
        return err_set(
            e, ERR_INVALID,
            "\"%s\" is no comparison; write \"> 0.5\" (or <, <=, ==, !=, >=), \"empty\" or \"any\"", is);
    ret->comparison = (enum comparison)index;
    ret->value = value;
    return ERR_OK;
}

bool comparison_holds(const struct query *q, uint32_t series, double least, double most)
{
    if (q->comparison == COMPARE_EMPTY)
        return series == 0;
    if (series == 0)
        return false;
    switch (q->comparison) {
    case COMPARE_LT:
        return most < q->value;
    case COMPARE_LE:
        return most <= q->value;
    case COMPARE_EQ:
        return least >= q->value && most <= q->value;
    case COMPARE_NE:
        return most < q->value || least > q->value;
    case COMPARE_GE:
        return least >= q->value;
    case COMPARE_GT:
        return least > q->value;
    default:
        return true;
    }
}

/* ---- as JSON ---- */

enum err_code query_members_read(void *group, struct err *e)
{
    struct query *q = group;
    return q->is ? comparison_parse(q, q->is, e) : ERR_OK;
}

const struct member query_members[] = {
    { .name = "query", .type = MEMBER_TEXT, .offset = offsetof(struct query, query), .always = true },
    { .name = "is", .type = MEMBER_TEXT, .offset = offsetof(struct query, is) },
    { .name = NULL },
};
const struct member http_probe_members[] = {
    { .name = "url", .type = MEMBER_TEXT, .offset = offsetof(struct http_probe, url), .always = true },
    { .name = "status", .type = MEMBER_INT, .offset = offsetof(struct http_probe, status), .max = 999 },
    { .name = "body", .type = MEMBER_TEXT, .offset = offsetof(struct http_probe, body) },
    { .name = NULL },
};
static const struct member step_members[] = {
    { .name = "name", .type = MEMBER_TEXT, .offset = 0, .always = true },
    { .name = "result",
      .type = MEMBER_CHOICE,
      .offset = offsetof(struct conditions, step.result) - offsetof(struct conditions, step),
      .choices = STEP_RESULT_WORDS },
    { .name = NULL },
};

#define QUERY_MEMBER(key)                                                                                    \
    {                                                                                                        \
        .name = #key, .type = MEMBER_GROUP, .offset = offsetof(struct conditions, key),                      \
        .members = query_members, .read = query_members_read                                                 \
    }
const struct member conditions_members[] = {
    { .name = "changed",
      .type = MEMBER_CHOICE,
      .offset = offsetof(struct conditions, changed),
      .choices = CHANGE_WORDS },
    { .name = "match", .type = MEMBER_MATCHERS, .offset = offsetof(struct conditions, match) },
    { .name = "annotations", .type = MEMBER_MATCHERS, .offset = offsetof(struct conditions, annotations) },
    { .name = "evidence", .type = MEMBER_MATCHERS, .offset = offsetof(struct conditions, evidence) },
    { .name = "cause", .type = MEMBER_WORDS, .offset = offsetof(struct conditions, cause) },
    { .name = "environment", .type = MEMBER_WORDS, .offset = offsetof(struct conditions, environment) },
    { .name = "during", .type = MEMBER_TEXT, .offset = offsetof(struct conditions, during) },
    { .name = "attempt", .type = MEMBER_INT, .offset = offsetof(struct conditions, attempt) },
    { .name = "step",
      .type = MEMBER_GROUP,
      .offset = offsetof(struct conditions, step),
      .members = step_members },
    QUERY_MEMBER(promql),
    QUERY_MEMBER(loki),
    { .name = "http",
      .type = MEMBER_GROUP,
      .offset = offsetof(struct conditions, http),
      .members = http_probe_members },
    { .name = "not",
      .type = MEMBER_GROUPS,
      .offset = offsetof(struct conditions, not_all),
      .members = conditions_members,
      .size = sizeof(struct conditions),
      .max = 1 },
    { .name = "any",
      .type = MEMBER_GROUPS,
      .offset = offsetof(struct conditions, any),
      .members = conditions_members,
      .size = sizeof(struct conditions),
      .max = CONDITION_ALTERNATIVES_MAX },
    { .name = NULL },
};

void conditions_release(struct conditions *c)
{
    members_release(conditions_members, c);
}

void query_release(struct query *q)
{
    members_release(query_members, q);
}

void http_probe_release(struct http_probe *p)
{
    members_release(http_probe_members, p);
}

bool conditions_empty(const struct conditions *c)
{
    return members_empty(conditions_members, c);
}
