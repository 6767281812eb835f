/* test/unit/match_index_test.c - the index of rules finds what asking each rule finds, in the same order. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "rules/policy/match_index.h"
#include "rules/policy/policy.h"
#include "test/kit/catalogue.h"

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static const char *pick(uint64_t *seed, const char *const *words, size_t len)
{
    return words[next(seed) % len];
}

static const char *const names[] = { "alertname", "namespace", "severity", "cluster", "message" };
static const char *const values[] = { "a", "b", "ab", "shop", "shop-1", "", "x.y", "A" };
static const char *const patterns[] = { "a|b",   "a.*",   ".*", "shop-[0-9]", ".+",  "(?i)a", "",
                                        "shop|", "[^a]+", "b?", "x\\\\.y",    ".*1", "ab" };

static void add_rule(struct buf *text, uint64_t *seed, size_t i)
{
    static const char *const ops[] = { "=", "=", "=", "!=", "=~", "=~", "!~" };
    size_t len = 1 + next(seed) % 3;
    buf_addf(text,
             "%s{ name = \"r%zu\"; plan = \"p\"; target = { from = \"deployment\"; }; continue = %s; enabled "
             "= %s; match = [ ",
             i ? ", " : "", i, next(seed) % 3 ? "true" : "false", next(seed) % 8 ? "true" : "false");
    for (size_t k = 0; k < len; k++) {
        const char *op = pick(seed, ops, 7);
        const char *value = strchr(op, '~') ? pick(seed, patterns, 13) : pick(seed, values, 8);
        buf_addf(text, "%s\"%s%s\\\"%s\\\"\"", k ? ", " : "", pick(seed, names, 5), op, value);
    }
    buf_adds(text, " ]; }");
}

static struct policy *random_policy(uint64_t *seed)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct policy *p = NULL;
    size_t rules = 1 + next(seed) % 130;
    buf_adds(&text, "version = 1; plans = { p = { steps = ( { do = \"restart\"; } ); }; }; rules = ( ");
    for (size_t i = 0; i < rules; i++)
        add_rule(&text, seed, i);
    buf_adds(&text, " );");
    cr_assert_eq(policy_load(&p, "x", buf_text(&text), text.len, kit_actions, KIT_ACTIONS_LEN, &errors, NULL),
                 ERR_OK, "%s", buf_text(&errors));
    return p;
}

/* What the index must give: every rule asked in turn. */
static size_t match_linearly(const struct policy *p, const struct alert *a, const struct rule **ret,
                             size_t max)
{
    size_t len = 0;
    for (size_t i = 0; i < p->rules_len && len < max; i++) {
        if (policy_try(p, &p->rules[i], a, NULL) != RULE_TAKES)
            continue;
        ret[len++] = &p->rules[i];
        if (!p->rules[i].go_on)
            break;
    }
    return len;
}

static void random_alert(struct alert *a, uint64_t *seed)
{
    snprintf(a->source, sizeof a->source, "alertmanager");
    for (size_t i = 0; i < 5; i++)
        if (next(seed) % 4)
            cr_assert_eq(map_set(&a->labels, names[i], pick(seed, values, 8), NULL), ERR_OK);
    if (next(seed) % 2)
        cr_assert_eq(map_set(&a->annotations, "summary", pick(seed, values, 8), NULL), ERR_OK);
}

Test(match_index, finds_what_asking_each_rule_finds, .timeout = 120)
{
    uint64_t seed = 20261121;
    size_t found = 0, several = 0;
    for (int round = 0; round < 150; round++) {
        CLEANUP(policy_freep) struct policy *p = random_policy(&seed);
        for (int k = 0; k < 60; k++) {
            CLEANUP(alert_release) struct alert a = ALERT_INIT;
            const struct rule *fast[16], *slow[16];
            random_alert(&a, &seed);
            size_t max = 1 + next(&seed) % 16, len = policy_match_all(p, &a, fast, max);
            cr_assert_eq(len, match_linearly(p, &a, slow, max), "round %d, alert %d", round, k);
            for (size_t i = 0; i < len; i++)
                cr_assert_eq(fast[i], slow[i], "round %d, alert %d: \"%s\" instead of \"%s\"", round, k,
                             fast[i]->name, slow[i]->name);
            found += len > 0;
            several += len > 1;
        }
    }
    cr_assert(found > 1000 && several > 100, "the rules have something to find: %zu, %zu", found, several);
}

static const struct matchers *list_of(const void *arg, size_t index)
{
    (void)index;
    return arg;
}

Test(match_index, more_lists_than_the_most_are_refused)
{
    static const struct matchers none = { .len = 0 };
    struct match_index *x = NULL;
    cr_assert_eq(match_index_new(&x, MATCH_LISTS_MAX + 1, list_of, &none, NULL), ERR_LIMIT);
    cr_assert_null(x);
    cr_assert_eq(match_index_new(&x, MATCH_LISTS_MAX, list_of, &none, NULL), ERR_OK);
    struct match_candidates c;
    CLEANUP(map_release) struct map labels = MAP_INIT;
    match_index_ask(x, &labels, NULL, &c);
    cr_assert_eq(match_candidates_next(&c, MATCH_LISTS_MAX - 1), MATCH_LISTS_MAX - 1,
                 "an empty list is always asked");
    cr_assert_eq(match_candidates_next(&c, MATCH_LISTS_MAX), SIZE_MAX);
    match_index_free(x);
}

Test(match_index, rules_are_found_by_name)
{
    uint64_t seed = 5;
    CLEANUP(policy_freep) struct policy *p = random_policy(&seed);
    for (size_t i = 0; i < p->rules_len; i++)
        cr_assert_eq(policy_rule(p, p->rules[i].name), &p->rules[i]);
    cr_assert_null(policy_rule(p, "r"));
}

/* Random expressions: what is said of them without RE2 is what RE2 says. */
Test(match_index, alternatives_mean_what_re2_means, .timeout = 60)
{
    static const char *const parts[] = { "a",        "b",         "ab",   "|",         "|",     ".*",    ".+",
                                         "a?",       "b*",        "\\.",  ".",         "(a|b)", "[ab|]", "x",
                                         "\xC3\xA4", "\xC3\xA4?", "a{2}", "\\Qa|b\\E", "\\|",   "$" };
    static const char *const texts[] = { "",    "a",  "b", "ab",  "aa",       "abab",
                                         "x.y", ".",  "|", "a|b", "\xC3\xA4", "a\xC3\xA4",
                                         "ax",  "bx", "x", "b.",  "a\nb" };
    uint64_t seed = 7;
    size_t simple = 0, matched = 0;
    for (int round = 0; round < 20000; round++) {
        CLEANUP(buf_release) struct buf regex = BUF_INIT;
        struct pattern *p = NULL;
        struct re *re = NULL;
        enum re_dot dot = round % 2 ? RE_DOT_ALL : RE_DOT_LINE;
        for (size_t k = next(&seed) % 6; k > 0; k--)
            buf_adds(&regex, pick(&seed, parts, sizeof parts / sizeof parts[0]));
        if (re_new(&re, buf_text(&regex), dot, NULL) != ERR_OK)
            continue;
        cr_assert_eq(pattern_new(&p, buf_text(&regex), dot, NULL), ERR_OK);
        simple += p->simple;
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
            bool truth = re_matches(re, texts[t], strlen(texts[t])), begins = false;
            for (size_t i = 0; i < p->len; i++)
                begins = begins || strncmp(texts[t], p->branches[i].literal, p->branches[i].len) == 0;
            cr_assert(begins || !truth, "'%s' matches '%s', which begins otherwise", buf_text(&regex),
                      texts[t]);
            if (p->simple)
                cr_assert_eq(pattern_matches(p, texts[t]), truth, "'%s' on '%s'", buf_text(&regex), texts[t]);
            matched += truth;
        }
        pattern_free(p);
        re_free(re);
    }
    cr_assert(simple > 1000 && matched > 1000);
}

Test(match_index, too_many_alternatives_are_left_to_re2)
{
    CLEANUP(buf_release) struct buf regex = BUF_INIT;
    struct pattern *p = NULL;
    for (unsigned i = 0; i <= PATTERN_BRANCHES_MAX; i++)
        buf_adds(&regex, i ? "|a" : "a");
    cr_assert_eq(pattern_new(&p, buf_text(&regex), RE_DOT_ALL, NULL), ERR_OK);
    cr_assert(!p->simple && p->len == 1 && p->branches[0].len == 0);
    pattern_free(p);
}
