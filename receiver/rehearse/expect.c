/* What was expected, against what happened. */
#include <stdio.h>
#include <string.h>

#include "receiver/rehearse/rehearse.h"
#include "rules/base/timetext.h"

static const char *const words[] = {
    [HAPPENED_RULE] = "rule",       [HAPPENED_TARGET] = "target",   [HAPPENED_DO] = "do",
    [HAPPENED_VERDICT] = "verdict", [HAPPENED_REFUSED] = "refused", [HAPPENED_ASKED] = "asked",
    [HAPPENED_NOTIFY] = "notify",   [HAPPENED_OUTCOME] = "outcome"
};

/* The member of an expectation that speaks of this kind; NULL: not looked at. */
static const char *wanted(const struct script_expect *x, enum happening kind)
{
    const char *const members[] = {
        [HAPPENED_RULE] = x->rule,       [HAPPENED_TARGET] = x->target,   [HAPPENED_DO] = x->action,
        [HAPPENED_VERDICT] = x->verdict, [HAPPENED_REFUSED] = x->refused, [HAPPENED_ASKED] = x->asked,
        [HAPPENED_NOTIFY] = x->notify,   [HAPPENED_OUTCOME] = x->outcome
    };
    return members[kind];
}

static bool agrees(const char *expected, const char *got)
{
    return !expected || strcmp(expected, got) == 0;
}

static bool fits(const struct script_expect *x, enum happening kind, const struct happened *h)
{
    const char *with = kind == HAPPENED_TARGET ? x->mode : x->with;
    if (h->kind != kind || !agrees(wanted(x, kind), h->what) || h->at_ms < x->after_ms || h->at_ms > x->by_ms)
        return false;
    if (kind == HAPPENED_DO || kind == HAPPENED_VERDICT || kind == HAPPENED_REFUSED)
        if (!agrees(x->step, h->step))
            return false;
    if ((kind == HAPPENED_DO || kind == HAPPENED_TARGET) && !agrees(with, h->with))
        return false;
    return !x->says || strstr(h->reason, x->says) != NULL;
}

/* One expectation may speak of several kinds: each must happen, at `from` or later. Returns the place behind
 * the last; -1: not there. */
static long find(struct played *p, const struct script_expect *x, size_t from)
{
    size_t end = from;
    for (int kind = 0; kind <= HAPPENED_OUTCOME; kind++) {
        if (!wanted(x, (enum happening)kind))
            continue;
        size_t k = end;
        while (k < p->len && (p->list[k].matched || !fits(x, (enum happening)kind, &p->list[k])))
            k++;
        if (k == p->len)
            return -1;
        p->list[k].matched = true;
        end = k + 1;
    }
    return (long)end;
}

static void describe_expected(struct buf *out, const struct script_expect *x)
{
    char text[DURATION_TEXT_SIZE];
    for (int kind = 0; kind <= HAPPENED_OUTCOME; kind++)
        if (wanted(x, (enum happening)kind))
            buf_addf(out, "%s %s ", words[kind], wanted(x, (enum happening)kind));
    if (x->step)
        buf_addf(out, "(%s) ", x->step);
    if (x->with || x->mode)
        buf_addf(out, "with %s ", x->with ? x->with : x->mode);
    if (x->says)
        buf_addf(out, "saying \"%s\" ", x->says);
    if (x->after_ms)
        buf_addf(out, "after %s ", duration_format(text, x->after_ms));
    if (x->by_ms != INT64_MAX)
        buf_addf(out, "by %s ", duration_format(text, x->by_ms));
    buf_addf(out, "   (line %d)", x->line);
}

static void describe_happened(struct buf *out, const struct happened *h)
{
    char text[DURATION_TEXT_SIZE];
    buf_addf(out, "%8s  %s %s", duration_format(text, h->at_ms / 1000 * 1000), words[h->kind], h->what);
    if (h->step[0])
        buf_addf(out, " (%s)", h->step);
    if (h->with[0])
        buf_addf(out, " with %s", h->with);
    if (h->reason[0])
        buf_addf(out, ": %s", h->reason);
}

/* Writes and outcomes must all be expected; the rest when the test says exactly. */
static bool must_be_expected(const struct script_test *t, const struct happened *h)
{
    bool heavy = h->kind == HAPPENED_DO || h->kind == HAPPENED_OUTCOME;
    return heavy || (t->exactly && (h->kind == HAPPENED_REFUSED || h->kind == HAPPENED_NOTIFY ||
                                    h->kind == HAPPENED_ASKED));
}

void expect_compare(struct played *p, const struct script_test *t)
{
    long at = 0;
    bool missing[SCRIPT_EXPECT_MAX] = { false };
    p->passed = true;
    for (size_t i = 0; i < t->expect_len; i++) {
        long next = find(p, &t->expect[i], (size_t)at);
        missing[i] = next < 0;
        at = next < 0 ? at : next;
        p->passed &= !missing[i];
    }
    for (size_t i = 0; i < p->len; i++)
        p->passed &= p->list[i].matched || !must_be_expected(t, &p->list[i]);
    if (p->passed)
        return;
    buf_adds(&p->difference, "  what happened (+ is not expected), then what did not (-)\n");
    for (size_t i = 0; i < p->len; i++) {
        const struct happened *h = &p->list[i];
        buf_adds(&p->difference, h->matched ? "    " : must_be_expected(t, h) ? "  + " : "  . ");
        describe_happened(&p->difference, h);
        buf_addc(&p->difference, '\n');
    }
    for (size_t i = 0; i < t->expect_len; i++)
        if (missing[i]) {
            buf_adds(&p->difference, "  - ");
            describe_expected(&p->difference, &t->expect[i]);
            buf_addc(&p->difference, '\n');
        }
}
