/* test/simulate/check_alert.c - what becomes of alerts: none that was accepted is lost, none counts twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/simulate/sim.h"

#define FUTURE_MS (5 * MINUTE_MS)

struct told { /* what heald answered with 2xx, last */
    char *key;
    enum alert_status status;
    struct alert alert;
    UT_hash_handle hh;
};
struct alerts_told {
    struct told *list;
};

struct alerts_told *told_new(void)
{
    struct alerts_told *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    return t;
}

static void forget(struct alerts_told *t, struct told *x)
{
    HASH_DEL(t->list, x);
    alert_release(&x->alert);
    free(x->key);
    free(x);
}

struct alerts_told *told_free(struct alerts_told *t)
{
    struct told *x, *next;
    if (!t)
        return NULL;
    HASH_ITER (hh, t->list, x, next) {
        forget(t, x);
    }
    free(t);
    return NULL;
}

static struct told *find(const struct alerts_told *t, const struct alert *a, char **ret_key)
{
    struct buf key = BUF_INIT;
    struct told *x = NULL;
    buf_adds(&key, a->source);
    for (size_t k = 0; k < a->labels.len; k++)
        buf_addf(&key, "|%s|%s", map_name_at(&a->labels, k), map_value_at(&a->labels, k));
    *ret_key = buf_detach(&key);
    if (!*ret_key)
        abort();
    HASH_FIND_STR(t->list, *ret_key, x);
    return x;
}

void told_unsure(struct sim *s, const struct alert *a)
{
    char *key = NULL;
    struct told *x = find(s->told, a, &key);
    free(key);
    if (x)
        forget(s->told, x);
}

static void check_kept(struct sim *s, const struct told *x)
{
    const struct known *a = model_alert(s->model, &x->alert);
    check(s, CHECK_ALERT_KEPT, a && a->status == x->status,
          "an alert was accepted as %s; by the journal it is %s: %s",
          x->status == ALERT_FIRING ? "firing" : "resolved",
          !a                          ? "not known"
          : a->status == ALERT_FIRING ? "firing"
                                      : "resolved",
          x->key);
}

void check_accepted(struct sim *s)
{
    for (size_t k = 0; k < s->accepted_len; k++) {
        const struct alert *a = &s->accepted[k].alert;
        char *key = NULL;
        struct told *x = find(s->told, a, &key);
        if (!x) {
            x = calloc(1, sizeof *x);
            if (!x || alert_copy(&x->alert, a, NULL) != ERR_OK)
                abort();
            x->key = key;
            HASH_ADD_KEYPTR(hh, s->told->list, x->key, strlen(x->key), x);
        } else {
            free(key);
        }
        x->status = a->status;
        if (k + 1 == s->accepted_len)
            check_kept(s, x);
    }
}

void check_alerts_kept(struct sim *s)
{
    for (const struct told *x = s->told->list; x && !s->failed; x = x->hh.next)
        check_kept(s, x);
}

/* ---- one alert, decided ---- */

/* Must an incident come of it? */
static bool eligible(const struct sim *s, const struct alert *a)
{
    const struct source *source = policy_source(s->p, a->source);
    int64_t wall_ms = heald_wall(s);
    if (!source || source_violated(source, a) || policy_ignored(s->p, &a->labels) >= 0 ||
        a->starts_ms > wall_ms + FUTURE_MS)
        return false;
    const struct rule *rule = policy_match(s->p, a);
    return rule && (rule->alert_age_ms == INT64_MAX || a->starts_ms >= wall_ms - rule->alert_age_ms);
}

static bool has(const struct sim *s, size_t rows, enum fact_kind kind)
{
    for (size_t k = rows; k < s->rows_len; k++)
        if (s->rows[k].kind == kind)
            return true;
    return false;
}

static void check_firing(struct sim *s, const struct alert *a, const struct known *before, size_t rows)
{
    const struct known *after = model_alert(s->model, a);
    const char *name = alert_label(a, "deployment");
    bool opened = has(s, rows, FACT_INCIDENT_OPENED);
    bool taken = before && before->status == ALERT_FIRING &&
                 (before->disposition == ALERT_OPENED || before->disposition == ALERT_ATTACHED);
    if (taken && before->starts_ms == a->starts_ms) {
        check(s, CHECK_ALERT_ONCE, s->rows_len == rows, "a repeat of an alert of %s was recorded", name);
    } else if (taken && before->incident[0]) {
        check(s, CHECK_ALERT_ONCE, !opened, "an alert of %s with another startsAt opened a second incident",
              name);
    } else if (before && before->status == ALERT_RESOLVED && before->starts_ms == a->starts_ms) {
        check(s, CHECK_ALERT_ONCE, !opened && after->disposition == ALERT_HELD,
              "an alert of %s fired again with the same startsAt and was not held", name);
    } else if (!before || before->status == ALERT_RESOLVED || before->disposition == ALERT_HELD) {
        check(s, CHECK_ALERT_KEPT, after && has(s, rows, FACT_ALERT), "a new alert of %s was not recorded",
              name);
        if (after && eligible(s, a))
            check(s, CHECK_ALERT_KEPT, after->incident[0] != '\0',
                  "nothing came of an alert of %s that a rule wants", name);
        else
            check(s, CHECK_ALERT_KEPT, !opened, "an incident came of an alert of %s that no rule wants",
                  name);
    }
}

void check_alert(struct sim *s, const struct alert *a, const struct known *before, bool repeats, size_t rows)
{
    if (s->failed)
        return;
    check(s, CHECK_ALERT_ONCE, !repeats || s->rows_len == rows,
          "an alert of %s counts as a repeat, and is none", alert_label(a, "deployment"));
    if (a->status == ALERT_FIRING) {
        check_firing(s, a, before, rows);
        return;
    }
    const struct known *after = model_alert(s->model, a);
    check(s, CHECK_ALERT_ONCE, !has(s, rows, FACT_INCIDENT_OPENED) && !has(s, rows, FACT_INTENT),
          "a resolved alert of %s began something", alert_label(a, "deployment"));
    check(s, CHECK_ALERT_KEPT, after && after->status == ALERT_RESOLVED,
          "a resolution for %s was not recorded", alert_label(a, "deployment"));
}
