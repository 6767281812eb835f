/* Teams' files: documents of their own, read alone, within the bounds that the policy sets them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/check.h"

#define TEAM_RULES_MAX 1000

PAIR(struct policy, teams, teams_len);
PAIR(struct team, budgets, budgets_len);
PAIR(struct team, team_budgets, team_budgets_len);

#define AT(member) .offset = offsetof(struct team, member)
static const struct config_key limits_keys[] = {
    { .name = "mode",
      .type = CONFIG_CHOICE,
      .choices = "observe|dry_run|act",
      .default_text = "act",
      AT(mode),
      .help = "Its rules cannot be wider than this." },
    { .name = "rules",
      .type = CONFIG_INT,
      .min = 1,
      .max = TEAM_RULES_MAX,
      .default_text = "100",
      AT(rules_max),
      .help = "How many rules it may have." },
    { .name = "cooldown",
      .type = CONFIG_DURATION,
      .min = 0,
      .max = 30 * DAY_MS,
      .default_text = "15m",
      AT(cooldown_ms),
      .help = "The shortest cooldown of its rules." },
    { .name = "attempts",
      .type = CONFIG_INT,
      .none = true,
      .min = 1,
      .max = 1000,
      .default_text = "3",
      AT(attempts),
      .help = "The most attempts of its rules." },
    { .name = "alert_age",
      .type = CONFIG_DURATION,
      .none = true,
      .min = SECOND_MS,
      .max = 30 * DAY_MS,
      .default_text = "1h",
      AT(alert_age_ms),
      .help = "The greatest alert_age of its rules." },
    { .name = "running",
      .type = CONFIG_INT,
      .none = true,
      .min = 1,
      .max = 1000,
      .default_text = "none",
      AT(running),
      .help = "The most incidents of one of its rules that act at one time." },
    { .name = "budget",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_budget,
      .unit = "list of groups, or `\"none\"`",
      .default_text = "\"none\"",
      AT(budgets),
      .help = "How many actions of each of its rules may start." },
    { .name = "team_budget",
      .type = CONFIG_CUSTOM,
      .parse = policy_parse_budget,
      .unit = "list of groups, or `\"none\"`",
      .default_text = "\"none\"",
      AT(team_budgets),
      .help = "How many actions of all its rules together may start." },
    { .name = NULL },
};

const struct config_key policy_team_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      .required = true,
      .min = 1,
      .max = 24,
      AT(name),
      .help = "It stands before the names of the team's rules, with a point between." },
    { .name = "file",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      .required = true,
      .min = 1,
      .max = 255,
      AT(file),
      .help = "The team's own document, below the folder of the policy: `version`, `profiles`, `plans` and "
              "`rules`. It "
              "is read alone, and includes nothing." },
    { .name = "namespaces",
      .type = CONFIG_STRINGS,
      .required = true,
      .min = 1,
      .len_max = 64,
      AT(namespaces),
      .help = "Regular expressions, anchored: its rules see the alerts of these namespaces, and touch "
              "nothing else." },
    { .name = "may",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = policy_parse_actions,
      .unit = "array of actions or risks",
      AT(may),
      .help =
          "What its plans may do: actions, or `\"gentle\"`, `\"disruptive\"`, `\"dangerous\"`, `\"all\"`." },
    { .name = "limits",
      .type = CONFIG_GROUP,
      .keys = limits_keys,
      .offset = 0,
      .help = "What it can only make tighter." },
    { .name = "line", .type = CONFIG_LINE, AT(line), .help = "" },
    { .name = NULL },
};
#undef AT

static bool is_team_key(const char *name)
{
    return choice_index("version|profiles|plans|rules", name) >= 0;
}

/* The keys of a policy that a team has, in their order. */
static void team_file_keys(struct config_key ret[static 8])
{
    size_t len = 0;
    for (const struct config_key *k = policy_keys; k->name; k++)
        if (is_team_key(k->name) && len < 7)
            ret[len++] = *k;
    ret[len] = (struct config_key){ .name = NULL };
}

/* ---- bounds ---- */

struct bounding {
    struct config_text *text;
    const struct team *team;
};

static void check_actions(const struct bounding *b, const struct node_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct node *n = &list->items[i];
        if (n->type == NODE_DO && n->action && !action_listed(&b->team->may, n->action))
            config_problem_at(b->text, n->line, "beyond-team", "team \"%s\" may not do \"%s\"", b->team->name,
                              n->action->name);
        check_actions(b, &n->then);
        check_actions(b, &n->otherwise);
        for (size_t k = 0; k < n->branches_len; k++)
            check_actions(b, &n->branches[k].steps);
    }
}

static void beyond(const struct bounding *b, const config_setting_t *group, const char *key,
                   const char *limit)
{
    config_problem(b->text, config_setting_get_member(group, key), "beyond-team",
                   "\"%s\" is wider than team \"%s\" may have; its limit is %s", key, b->team->name, limit);
}

/* What the rule says may be tighter than the limit, never wider; what it does not say is the limit at most.
 */
static void bound_most(const struct bounding *b, const config_setting_t *group, const char *key, int64_t most,
                       int64_t *field, bool duration)
{
    char text[DURATION_TEXT_SIZE];
    if (*field <= most)
        return;
    snprintf(text, sizeof text, "%lld", (long long)most);
    if (config_setting_get_member(group, key))
        beyond(b, group, key, duration ? duration_format(text, most) : text);
    *field = most;
}

static void bound_rule(const struct bounding *b, const config_setting_t *group, struct rule *r)
{
    static const char *const modes[] = { "observe", "dry_run", "act" };
    const struct team *t = b->team;
    char text[DURATION_TEXT_SIZE];
    bound_most(b, group, "attempts", t->attempts, &r->attempts, false);
    bound_most(b, group, "running", t->running, &r->running, false);
    bound_most(b, group, "alert_age", t->alert_age_ms, &r->alert_age_ms, true);
    if (r->cooldown_ms < t->cooldown_ms) {
        if (config_setting_get_member(group, "cooldown"))
            beyond(b, group, "cooldown", duration_format(text, t->cooldown_ms));
        r->cooldown_ms = t->cooldown_ms;
    }
    if (r->mode > t->mode) {
        if (config_setting_get_member(group, "mode"))
            beyond(b, group, "mode", modes[t->mode]);
        r->mode = t->mode;
    }
}

static void bound_budget(const struct bounding *b, const config_setting_t *group, struct rule *r)
{
    const struct team *t = b->team;
    if (!t->budgets_len)
        return;
    if (r->budgets_len + t->budgets_len > POLICY_BUDGETS_MAX) {
        config_problem(b->text, config_setting_get_member(group, "budget"), "beyond-team",
                       "\"budget\" and that of team \"%s\" are more than %d limits", t->name,
                       POLICY_BUDGETS_MAX);
        return;
    }
    struct budget_limit *both = reallocarray(r->budgets, r->budgets_len + t->budgets_len, sizeof *both);
    if (!both) {
        config_out_of_memory(b->text);
        return;
    }
    memcpy(both + r->budgets_len, t->budgets, t->budgets_len * sizeof *both);
    r->budgets = both;
    r->budgets_len += t->budgets_len;
}

/* The rule sees alerts of the team's namespaces only: one matcher more. */
static bool bound_match(const struct team *t, struct rule *r)
{
    struct matcher *more = reallocarray(r->match.list, r->match.len + 1, sizeof *more);
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    if (!more)
        return false;
    r->match.list = more;
    buf_adds(&text, "namespace=~\"");
    for (size_t i = 0; i < t->namespaces.len; i++) {
        buf_adds(&text, i ? "|(?:" : "(?:");
        for (const char *p = t->namespaces.list[i]; *p; p++)
            buf_addf(&text, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
        buf_addc(&text, ')');
    }
    buf_addc(&text, '"');
    if (!buf_ok(&text) || matcher_parse(&more[r->match.len], buf_text(&text), NULL) != ERR_OK)
        return false;
    r->match.len++;
    return true;
}

/* "payments.crash-loop" */
static bool name_rule(const struct team *t, struct rule *r)
{
    char *longer = NULL;
    if (asprintf(&longer, "%s.%s", t->name, r->name) < 0)
        return false;
    free(r->name);
    r->name = longer;
    return true;
}

static void bound_rules(const struct bounding *b, const config_setting_t *root, struct policy *own)
{
    const config_setting_t *rules = config_setting_get_member(root, "rules");
    if (own->rules_len > (size_t)b->team->rules_max)
        config_problem(b->text, rules, "beyond-team", "team \"%s\" has %zu rules; %lld is the most",
                       b->team->name, own->rules_len, (long long)b->team->rules_max);
    for (unsigned i = 0; i < own->rules_len; i++) {
        struct rule *r = &own->rules[i];
        const config_setting_t *group = config_setting_get_elem(rules, i);
        r->team = b->team;
        if (!config_setting_is_group(group) || !r->name)
            continue; /* said already */
        bound_rule(b, group, r);
        bound_budget(b, group, r);
        if (strlen(r->name) + strlen(b->team->name) >= POLICY_NAME_MAX)
            config_problem(b->text, config_setting_get_member(group, "name"), "out-of-range",
                           "\"%s.%s\" is longer than %d bytes", b->team->name, r->name, POLICY_NAME_MAX);
        if (!bound_match(b->team, r) || !name_rule(b->team, r))
            config_out_of_memory(b->text);
    }
    for (size_t i = 0; i < own->plans_len; i++)
        for (int phase = 0; phase < PHASE_END_; phase++)
            check_actions(b, &own->plans[i].phases[phase]);
    for (size_t i = 0; i < own->rules_len; i++)
        for (int phase = 0; own->rules[i].own_plan && phase < PHASE_END_; phase++)
            check_actions(b, &own->rules[i].own_plan->phases[phase]);
}

/* ---- reading ---- */

/* Checks of the team's text, with the names of the whole policy. `arg` is the context of the team's file. */
static void check_file(struct config_text *text, const config_setting_t *root, void *target, const void *arg)
{
    const struct policy_context *context = arg;
    struct policy *own = target;
    const struct checking c = {
        .text = text, .policy = own, .world = context->world, .root = root, .shell = context->shell
    };
    policy_check_names(text, root, own);
    check_plans(&c);
    check_matches(&c);
    check_rules(&c);
    bound_rules(&(struct bounding){ text, context->team }, root, own);
}

static enum err_code read_team(struct team *t, const struct policy_context *world, struct buf *ret_errors,
                               struct err *e)
{
    CLEANUP(buf_release) struct buf bytes = BUF_INIT_MAX(CONFIG_TEXT_MAX);
    const struct config_reader *reader = &world->shell->reader;
    struct config_key keys[8];
    enum err_code code = reader->read(reader->arg, t->file, &bytes, e);
    if (code)
        return err_wrap(e, code, "team \"%s\"", t->name);
    t->own = calloc(1, sizeof *t->own);
    if (!t->own)
        return err_set(e, ERR_NOMEM, "no memory for a team");
    team_file_keys(keys);
    t->own->defaults = world->policy->defaults;
    const struct policy_context context = { .policy = t->own,
                                            .world = world->policy,
                                            .team = t,
                                            .actions = world->actions,
                                            .actions_len = world->actions_len,
                                            .shell = world->shell };
    const struct config_source source = { .name = t->file,
                                          .bytes = buf_text(&bytes),
                                          .len = bytes.len,
                                          .keys = keys,
                                          .check = check_file,
                                          .problems = world->shell->problems,
                                          .errors = ret_errors };
    return config_parse_source(&source, t->own, &context, e);
}

/* The team's rules go behind the policy's. */
static enum err_code take_rules(struct policy *p, struct policy *own, struct err *e)
{
    if (p->rules_len + own->rules_len > POLICY_PATTERNS_MAX)
        return err_set(e, ERR_LIMIT, "policy and teams have more than %d rules", POLICY_PATTERNS_MAX);
    if (!own->rules_len)
        return ERR_OK;
    struct rule *all = reallocarray(p->rules, p->rules_len + own->rules_len, sizeof *all);
    if (!all)
        return err_set(e, ERR_NOMEM, "no memory for the rules of a team");
    memcpy(all + p->rules_len, own->rules, own->rules_len * sizeof *all);
    p->rules = all;
    p->rules_len += own->rules_len;
    free(own->rules);
    own->rules = NULL;
    own->rules_len = 0;
    return ERR_OK;
}

enum err_code policy_read_teams(struct policy *p, const struct policy_context *c, struct buf *ret_errors,
                                struct err *e)
{
    enum err_code first = ERR_OK;
    for (size_t i = 0; i < p->teams_len; i++) {
        struct err own = ERR_INIT;
        enum err_code code = read_team(&p->teams[i], c, ret_errors, &own);
        if (code == ERR_NOT_FOUND || code == ERR_IO || code == ERR_REFUSED || code == ERR_LIMIT) {
            if (ret_errors)
                buf_addf(ret_errors, "%s\n", own.msg);
            if (c->shell->problems)
                config_problems_add(c->shell->problems, p->teams[i].file, 0, false, "unreadable-file",
                                    own.msg);
        }
        if (code && !first) {
            first = code;
            err_set(e, code == ERR_NOMEM ? code : ERR_INVALID, "%s", own.msg);
        }
    }
    for (size_t i = 0; i < p->teams_len && !first; i++)
        first = take_rules(p, p->teams[i].own, e);
    return first == ERR_OK || first == ERR_NOMEM ? first : ERR_INVALID;
}

void policy_check_team(struct config_text *text, const config_setting_t *group, void *target, const void *arg)
{
    const struct policy_context *c = arg;
    struct team *t = target;
    const config_setting_t *list = config_setting_get_member(group, "namespaces");
    for (unsigned i = 0; i < t->namespaces.len; i++) {
        struct re *re = NULL;
        struct err e = ERR_INIT;
        if (re_new(&re, t->namespaces.list[i], RE_DOT_LINE, &e) != ERR_OK)
            config_problem(text, config_setting_get_elem(list, i), "invalid-value", "%s", e.msg);
        re_free(re);
    }
    if (t->file && !config_is_inner_path(t->file))
        config_problem(text, config_setting_get_member(group, "file"), "invalid-value",
                       "\"file\" is \"%s\"; it must be below the folder of the policy, without \"..\"",
                       t->file);
    if (!c->shell || !c->shell->reader.read)
        config_error(text, group, "teams' files cannot be read here");
    for (const struct team *other = c->policy->teams; t->name && other < t; other++)
        if (other->name && strcmp(other->name, t->name) == 0)
            config_problem(text, config_setting_get_member(group, "name"), "duplicate-name",
                           "team \"%s\" stands already on line %d; names are unique", t->name,
                           config_line_number(other->line));
}

void policy_release_team(struct team *t)
{
    config_strings_release(&t->may);
    free(t->budgets);
    free(t->team_budgets);
    policy_free(t->own);
}

bool team_may(const struct team *t, const struct target *target, const struct action_spec *action,
              char *ret_why, size_t why_size)
{
    bool inside = false;
    for (size_t i = 0; i < t->namespaces.len && !inside; i++) {
        struct re *re = NULL;
        inside = re_new(&re, t->namespaces.list[i], RE_DOT_LINE, NULL) == ERR_OK &&
                 re_matches(re, target->namespace, strlen(target->namespace));
        re_free(re);
    }
    if (!inside) {
        snprintf(ret_why, why_size, "team \"%s\" may not touch namespace \"%s\"", t->name, target->namespace);
        return false;
    }
    if (action && !action_listed(&t->may, action)) {
        snprintf(ret_why, why_size, "team \"%s\" may not do \"%s\"", t->name, action->name);
        return false;
    }
    return true;
}
