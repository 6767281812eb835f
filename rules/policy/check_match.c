/* Checks of matchers: what they can and cannot match, and whom an earlier one hides. */
#include <stdlib.h>
#include <string.h>

#include "rules/policy/check.h"

#define PAIRS_MAX 3000000u /* comparisons of two rules; more are left out */

/* ---- one list of matchers ---- */

static bool is_regex(const struct matcher *m)
{
    return m->op == MATCH_REGEX || m->op == MATCH_NOT_REGEX;
}

/* The pattern takes every value, the empty one too. */
static bool takes_all(const struct matcher *m)
{
    for (size_t i = 0; is_regex(m) && i < m->pattern->len; i++)
        if (m->pattern->branches[i].len == 0 && m->pattern->branches[i].behind == BEHIND_ANY)
            return true;
    return false;
}

#define LISTED_VALUE_MAX 256u

/* The only values that it takes, one after the other: false when there is no number `i`, or they are not
 * listed. */
static bool listed_value(const struct matcher *m, size_t i, char ret[LISTED_VALUE_MAX])
{
    if (m->op == MATCH_EQUAL && i == 0 && strlen(m->value) < LISTED_VALUE_MAX) {
        memcpy(ret, m->value, strlen(m->value) + 1);
        return true;
    }
    if (m->op != MATCH_REGEX || !m->pattern->simple || i >= m->pattern->len)
        return false;
    for (size_t k = 0; k < m->pattern->len; k++)
        if (m->pattern->branches[k].behind != BEHIND_NOTHING ||
            m->pattern->branches[k].len >= LISTED_VALUE_MAX)
            return false;
    memcpy(ret, m->pattern->branches[i].literal, m->pattern->branches[i].len);
    ret[m->pattern->branches[i].len] = '\0';
    return true;
}

/* `b` takes none of the values that `a` takes. */
static bool contradict(const struct matcher *a, const struct matcher *b)
{
    char value[LISTED_VALUE_MAX];
    size_t i = 0;
    if (strcmp(a->name, b->name) != 0)
        return false;
    for (; listed_value(a, i, value); i++)
        if (matcher_matches_value(b, value))
            return false;
    return i > 0;
}

static void say_matcher(const struct checking *c, int line, const struct matcher *m, const char *name,
                        const char *what)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    matcher_format(&text, m);
    config_warning_at(c->text, line, name, "%s %s", buf_text(&text), what);
}

static void check_list(const struct checking *c, const struct matchers *list, int line)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct matcher *m = &list->list[i];
        if (takes_all(m) && m->op == MATCH_REGEX)
            say_matcher(c, line, m, "matches-everything",
                        "matches everything, an absent label too; remove it");
        if (takes_all(m) && m->op == MATCH_NOT_REGEX)
            say_matcher(c, line, m, "matches-nothing", "matches nothing");
        if (strstr(m->value, "${"))
            say_matcher(c, line, m, "template-in-matcher",
                        "is taken as it is: nothing is put into a matcher");
        for (size_t k = 0; k < list->len; k++)
            if (k != i && contradict(m, &list->list[k]) && !(k < i && contradict(&list->list[k], m)))
                say_matcher(c, line, m, "matches-nothing", "contradicts another matcher of the same list");
    }
}

/* ---- who hides whom ---- */

/* Whatever `later` matches, `m` matches too. */
static bool implied_by_one(const struct matcher *m, const struct matcher *later)
{
    if (strcmp(m->name, later->name) != 0)
        return false;
    if (m->op == later->op && strcmp(m->value, later->value) == 0)
        return true;
    if (later->op == MATCH_EQUAL)
        return matcher_matches_value(m, later->value);
    char value[LISTED_VALUE_MAX];
    size_t i = 0;
    for (; listed_value(later, i, value); i++)
        if (!matcher_matches_value(m, value))
            return false;
    return i > 0;
}

static bool implied(const struct matchers *earlier, const struct matchers *later)
{
    for (size_t i = 0; i < earlier->len; i++) {
        bool found = takes_all(&earlier->list[i]) && earlier->list[i].op == MATCH_REGEX;
        for (size_t k = 0; k < later->len && !found; k++)
            found = implied_by_one(&earlier->list[i], &later->list[k]);
        if (!found)
            return false;
    }
    return true;
}

static bool hears_all(const struct rule *earlier, const struct rule *later)
{
    if (earlier->sources.len == 0)
        return later->sources.len == 0;
    for (size_t i = 0; i < later->sources.len; i++)
        if (!check_known(&earlier->sources, later->sources.list[i]))
            return false;
    return later->sources.len > 0;
}

/* A rule can only be hidden by one whose first equal matcher it has too: those are sorted by it. */
struct filed {
    const char *name, *value; /* "" and "": no equal matcher */
    const struct rule *rule;
};

static struct filed file_rule(const struct rule *r)
{
    for (size_t i = 0; i < r->match.len; i++)
        if (r->match.list[i].op == MATCH_EQUAL)
            return (struct filed){ r->match.list[i].name, r->match.list[i].value, r };
    return (struct filed){ "", "", r };
}

static int by_key(const void *a, const void *b)
{
    const struct filed *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    order = order ? order : strcmp(x->value, y->value);
    return order ? order : (x->rule > y->rule) - (x->rule < y->rule);
}

static size_t first_of(const struct filed *all, size_t len, const char *name, const char *value)
{
    size_t low = 0, high = len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(all[mid].name, name);
        order = order ? order : strcmp(all[mid].value, value);
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static const struct rule *hidden_in(const struct filed *all, size_t len, const char *name, const char *value,
                                    const struct rule *r, size_t *pairs)
{
    for (size_t i = first_of(all, len, name, value); i < len && *pairs < PAIRS_MAX; i++) {
        const struct filed *f = &all[i];
        if (strcmp(f->name, name) != 0 || strcmp(f->value, value) != 0 || f->rule >= r)
            return NULL;
        ++*pairs;
        if (f->rule->enabled && !f->rule->go_on && hears_all(f->rule, r) &&
            implied(&f->rule->match, &r->match))
            return f->rule;
    }
    return NULL;
}

static const struct rule *hidden_by(const struct filed *all, size_t len, const struct rule *r, size_t *pairs)
{
    const struct rule *found = hidden_in(all, len, "", "", r, pairs);
    for (size_t i = 0; i < r->match.len && !found; i++)
        if (r->match.list[i].op == MATCH_EQUAL)
            found = hidden_in(all, len, r->match.list[i].name, r->match.list[i].value, r, pairs);
    return found;
}

static void check_hidden_rules(const struct checking *c)
{
    const struct policy *p = c->policy;
    struct filed *all = calloc(p->rules_len + 1, sizeof *all);
    size_t pairs = 0;
    if (!all) {
        config_out_of_memory(c->text);
        return;
    }
    for (size_t i = 0; i < p->rules_len; i++)
        all[i] = file_rule(&p->rules[i]);
    qsort(all, p->rules_len, sizeof *all, by_key);
    for (size_t i = 0; i < p->rules_len; i++) {
        const struct rule *r = &p->rules[i];
        const struct rule *earlier = r->enabled && r->name ? hidden_by(all, p->rules_len, r, &pairs) : NULL;
        if (earlier)
            config_warning_at(
                c->text, r->line, "unreachable-rule",
                "rule \"%s\" is never reached: rule \"%s\" of line %d takes all its alerts; put it "
                "before that one, or say continue = true there",
                r->name, earlier->name ? earlier->name : "", config_line_number(earlier->line));
    }
    free(all);
}

static void check_hidden_environments(const struct checking *c)
{
    const struct policy *p = c->policy;
    for (size_t i = 0; i < p->environments_len && i < 1000; i++)
        for (size_t k = 0; k < i; k++)
            if (p->environments[i].name && p->environments[k].name &&
                implied(&p->environments[k].match, &p->environments[i].match)) {
                config_warning_at(
                    c->text, p->environments[i].line, "unreachable-environment",
                    "environment \"%s\" is never reached: \"%s\" of line %d takes all its targets",
                    p->environments[i].name, p->environments[k].name,
                    config_line_number(p->environments[k].line));
                break;
            }
}

static void check_patterns(const struct checking *c, const struct patterns *list, const char *key)
{
    const config_setting_t *setting = config_setting_get_member(c->root, key);
    for (unsigned i = 0; i < list->len; i++) {
        const config_setting_t *entry = setting ? config_setting_get_elem(setting, i) : NULL;
        check_list(c, &list->list[i], entry ? config_line(entry) : 0);
    }
}

void check_matches(const struct checking *c)
{
    const struct policy *p = c->policy;
    for (size_t i = 0; i < p->rules_len; i++) {
        check_list(c, &p->rules[i].match, p->rules[i].line);
        for (size_t k = 0; k < p->rules[i].explained_by_len; k++)
            check_list(c, &p->rules[i].explained_by[k].match, p->rules[i].line);
    }
    for (size_t i = 0; i < p->environments_len; i++) {
        check_list(c, &p->environments[i].match, p->environments[i].line);
        for (size_t k = 0; k < p->environments[i].protect.len; k++)
            check_list(c, &p->environments[i].protect.list[k], p->environments[i].line);
    }
    check_patterns(c, &p->ignore, "ignore");
    check_patterns(c, &p->critical, "critical");
    check_patterns(c, &p->automatic, "auto");
    check_hidden_rules(c);
    check_hidden_environments(c);
}
