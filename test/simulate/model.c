/* test/simulate/model.c - facts folded into what the invariants ask for. */
#include "test/simulate/model.h"

#include <stdlib.h>
#include <string.h>

#include "rules/base/buf.h"

const char *const course_names[COURSE_END_] = {
    [COURSE_NONE] = "none",       [COURSE_RESOLVING] = "resolving", [COURSE_DECIDING] = "deciding",
    [COURSE_WAITING] = "waiting", [COURSE_APPROVAL] = "approval",   [COURSE_DELAYED] = "delayed",
    [COURSE_ACTING] = "acting",   [COURSE_VERIFYING] = "verifying", [COURSE_CLOSED] = "closed",
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

struct model *model_new(const struct action_spec *actions, size_t actions_len)
{
    struct model *m = must(calloc(1, sizeof(struct model)));
    m->actions = actions;
    m->actions_len = actions_len;
    return m;
}

struct model *model_free(struct model *m)
{
    struct known *a, *a_next;
    struct course *c, *c_next;
    if (!m)
        return NULL;
    HASH_ITER (hh, m->alerts, a, a_next) {
        HASH_DEL(m->alerts, a);
        free(a->key);
        free(a);
    }
    HASH_ITER (hh, m->courses, c, c_next) {
        HASH_DEL(m->courses, c);
        for (struct write *w = c->writes, *next; w; w = next) {
            next = w->next;
            free(w);
        }
        plan_free(c->plan);
        free(c);
    }
    free(m->spent);
    free(m->proved);
    free(m->arrived);
    free(m->failing);
    free(m);
    return NULL;
}

/* ---- looking ---- */

/* Labels are in the order of their names. */
static void key_of(struct buf *ret, const struct alert *a)
{
    buf_adds(ret, a->source);
    for (size_t k = 0; k < a->labels.len; k++)
        buf_addf(ret, "\n%s=%s", map_name_at(&a->labels, k), map_value_at(&a->labels, k));
}

struct known *model_alert(const struct model *m, const struct alert *a)
{
    CLEANUP(buf_release) struct buf key = BUF_INIT;
    struct known *found = NULL;
    key_of(&key, a);
    HASH_FIND(hh, m->alerts, buf_text(&key), key.len, found);
    return found;
}

struct course *model_course(const struct model *m, const char *incident)
{
    struct course *found = NULL;
    HASH_FIND_STR(m->courses, incident, found);
    return found;
}

uint32_t model_firing(const struct model *m, const char *incident)
{
    uint32_t n = 0;
    for (const struct known *a = m->alerts; a; a = a->hh.next)
        n += a->status == ALERT_FIRING && strcmp(a->incident, incident) == 0;
    return n;
}

struct write *course_write(const struct course *c, const struct intent *n)
{
    for (struct write *w = c->writes; w; w = w->next)
        if (w->intent.write == n->write && w->intent.undo == n->undo && w->intent.attempt == n->attempt &&
            strcmp(w->intent.step, n->step) == 0)
            return w;
    return NULL;
}

/* The next word of "steps.2.branch.1.0". False: there is none. */
static bool word(const char **path, char ret[24])
{
    size_t len = strcspn(*path, ".");
    if (len == 0 || len >= 24)
        return false;
    memcpy(ret, *path, len);
    ret[len] = '\0';
    *path += len + ((*path)[len] == '.');
    return true;
}

/* The list of steps that a path goes on in below this node. */
static const struct node_list *below(const struct node *n, const char **path)
{
    char name[24], index[24];
    if (!word(path, name))
        return NULL;
    if (strcmp(name, "then") == 0)
        return &n->then;
    if (strcmp(name, "otherwise") == 0)
        return &n->otherwise;
    size_t branch = strcmp(name, "branch") == 0 && word(path, index) ? (size_t)atoi(index) : n->branches_len;
    return branch < n->branches_len ? &n->branches[branch].steps : NULL;
}

const struct node *course_node(const struct course *c, const char *path)
{
    char name[24];
    const struct node_list *list = NULL;
    if (!c->plan || !word(&path, name))
        return NULL;
    for (int k = 0; k < PHASE_END_; k++)
        if (strcmp(phase_names[k], name) == 0)
            list = &c->plan->phases[k];
    while (list && word(&path, name)) {
        size_t index = (size_t)atoi(name);
        const struct node *n = index < list->len ? &list->items[index] : NULL;
        if (!n || !*path)
            return n;
        list = below(n, &path);
    }
    return NULL;
}

bool course_parallel(const struct course *c, const char *path)
{
    char above[STEP_PATH_SIZE];
    const char *branch = strstr(path, ".branch.");
    if (!branch || (size_t)(branch - path) >= sizeof above)
        return false;
    memcpy(above, path, (size_t)(branch - path));
    above[branch - path] = '\0';
    const struct node *n = course_node(c, above);
    return n && n->type == NODE_PARALLEL;
}

bool course_allows(enum course_state state, const struct fact *f)
{
    bool between = state == COURSE_DECIDING || state == COURSE_WAITING || state == COURSE_APPROVAL ||
                   state == COURSE_DELAYED;
    switch (f->kind) {
    case FACT_INCIDENT_OPENED:
        return state == COURSE_NONE;
    case FACT_TOLD:
        return state != COURSE_NONE;
    case FACT_RESOLVED:
        return state == COURSE_RESOLVING;
    case FACT_MERGED:
        return state == COURSE_DECIDING;
    case FACT_REFUSED:
        return between || state == COURSE_RESOLVING;
    case FACT_WRITTEN: /* also: an earlier one is found, or it was tried too often */
        return between || state == COURSE_ACTING;
    case FACT_VERDICT:
        return state == COURSE_VERIFYING;
    case FACT_INTENT:
    case FACT_STEP:
    case FACT_ASKED:
        return between;
    default: /* closed, ending, notify, a person's word, an alert */
        return state != COURSE_NONE && state != COURSE_CLOSED;
    }
}

const struct failing *model_failing(const struct model *m, const char *environment, const char *action)
{
    for (size_t k = 0; k < m->failing_len; k++)
        if (strcmp(m->failing[k].environment, environment) == 0 && strcmp(m->failing[k].action, action) == 0)
            return &m->failing[k];
    return NULL;
}

const struct pausing *model_paused(const struct model *m, const struct course *c, const char *environment,
                                   int64_t now_ms)
{
    for (size_t k = 0; k < m->pauses_len; k++) {
        const struct pausing *p = &m->pauses[k];
        const char *name = p->scope == PAUSE_ENVIRONMENT ? environment
                           : p->scope == PAUSE_RULE      ? c->rule
                                                         : c->target.namespace;
        if ((p->scope == PAUSE_EVERYWHERE || strcmp(p->name, name) == 0) &&
            (!p->until_ms || now_ms < p->until_ms))
            return p;
    }
    return NULL;
}

static enum course_state after_written(const struct fact *f, enum course_state *ret_either)
{
    if (f->u.written.state == WRITE_UNKNOWN)
        return COURSE_VERIFYING;
    if (f->u.written.state == WRITE_DONE) { /* judged later, or not at all */
        *ret_either = COURSE_DECIDING;
        return COURSE_VERIFYING;
    }
    if (f->u.written.state == WRITE_FAILED)
        *ret_either = COURSE_VERIFYING;
    return COURSE_DECIDING;
}

enum course_state course_after(const struct course *c, const struct fact *f, enum course_state *ret_either)
{
    *ret_either = COURSE_END_;
    switch (f->kind) {
    case FACT_INCIDENT_OPENED:
        return COURSE_RESOLVING;
    case FACT_MERGED:
    case FACT_CLOSED:
        return COURSE_CLOSED;
    case FACT_INTENT:
        return COURSE_ACTING;
    case FACT_ASKED:
        return COURSE_APPROVAL;
    case FACT_WRITTEN:
        return after_written(f, ret_either);
    case FACT_REFUSED:
        if (f->u.refused.scope == REFUSED_LATER)
            return c->resolved ? COURSE_WAITING : COURSE_RESOLVING;
        *ret_either = COURSE_VERIFYING; /* the last of a `parallel` */
        return COURSE_DECIDING;
    case FACT_STEP:
        if (f->u.step.event == STEP_BEGAN)
            return COURSE_DELAYED;
        *ret_either = COURSE_VERIFYING;
        return COURSE_DECIDING;
    case FACT_VERDICT:
        *ret_either = COURSE_VERIFYING;
        return COURSE_DECIDING;
    case FACT_RESOLVED:
    case FACT_ENDING:
        return COURSE_DECIDING;
    case FACT_NOTIFY:
        *ret_either = f->u.notify.step[0] ? COURSE_VERIFYING : COURSE_END_;
        return f->u.notify.step[0] ? COURSE_DECIDING : c->state;
    case FACT_WORD: /* one yes may be enough */
        *ret_either = c->state == COURSE_APPROVAL ? COURSE_DECIDING : COURSE_END_;
        return c->state;
    default:
        return c ? c->state : COURSE_NONE;
    }
}

/* ---- folding ---- */

static void fold_alert(struct model *m, const struct fact *f)
{
    const struct alert *alert = &f->u.alert.alert;
    struct known *a = model_alert(m, alert);
    if (!a) {
        struct buf key = BUF_INIT;
        a = must(calloc(1, sizeof *a));
        key_of(&key, alert);
        a->key_len = key.len;
        a->key = must(buf_detach(&key));
        HASH_ADD_KEYPTR(hh, m->alerts, a->key, a->key_len, a);
    }
    a->status = alert->status;
    a->starts_ms = alert->starts_ms;
    text_copy(a->alertname, sizeof a->alertname, alert_label(alert, "alertname"));
    text_copy(a->namespace, sizeof a->namespace, alert_label(alert, "namespace"));
    a->disposition = f->u.alert.disposition;
    if (a->disposition == ALERT_ATTACHED || a->disposition == ALERT_OPENED)
        memcpy(a->incident, f->incident, sizeof a->incident);
}

static void fold_opened(struct model *m, const struct fact *f)
{
    struct course *c = must(calloc(1, sizeof *c));
    memcpy(c->id, f->incident, sizeof c->id);
    memcpy(c->rule, f->u.opened.rule, sizeof c->rule);
    memcpy(c->source, f->u.opened.source, sizeof c->source);
    CLEANUP(json_freep) struct json_doc *plan = NULL;
    const char *text = f->u.opened.plan ? f->u.opened.plan : "";
    if (json_parse(&plan, text, strlen(text), NULL) == ERR_OK &&
        plan_parse(&c->plan, json_root(plan), m->actions, m->actions_len, NULL) != ERR_OK)
        c->plan = NULL;
    c->opened_ms = f->at_ms;
    c->by_hand = f->u.opened.who[0] != '\0';
    memcpy(c->begun_by, f->u.opened.who, sizeof c->begun_by);
    HASH_ADD_STR(m->courses, id, c);
}

static void leave(struct model *m, const char *incident, const char *into)
{
    for (struct known *a = m->alerts; a; a = a->hh.next)
        if (strcmp(a->incident, incident) == 0)
            text_copy(a->incident, sizeof a->incident, into);
}

static void spend_intent(struct model *m, const struct course *c, const struct fact *f)
{
    const struct intent *n = &f->u.intent;
    for (size_t k = m->spent_len; n->write > 1 && k-- > 0;)
        if (m->spent[k].attempt == n->attempt && m->spent[k].undo == n->undo &&
            strcmp(m->spent[k].incident, n->incident) == 0 &&
            strcmp(m->spent[k].step, n->step) == 0) { /* an attempt takes once, with its last write */
            memmove(&m->spent[k], &m->spent[k + 1], (m->spent_len - k - 1) * sizeof *m->spent);
            m->spent_len--;
            break;
        }
    if (m->spent_len == m->spent_cap) {
        m->spent_cap = m->spent_cap ? 2 * m->spent_cap : 64;
        m->spent = must(realloc(m->spent, m->spent_cap * sizeof *m->spent));
    }
    struct spent *x = &m->spent[m->spent_len++];
    memset(x, 0, sizeof *x);
    x->at_ms = f->at_ms;
    x->attempt = n->attempt;
    x->undo = n->undo;
    x->target = n->target;
    memcpy(x->incident, n->incident, sizeof x->incident);
    memcpy(x->step, n->step, sizeof x->step);
    memcpy(x->rule, c->rule, sizeof x->rule);
    memcpy(x->environment, n->environment, sizeof x->environment);
}

static void fold_intent(struct model *m, struct course *c, const struct fact *f)
{
    struct write *w = must(calloc(1, sizeof *w));
    w->intent = f->u.intent;
    w->state = WRITE_OPEN;
    w->at_ms = f->at_ms;
    w->next = c->writes;
    c->writes = w;
    spend_intent(m, c, f);
}

static void fold_written(struct course *c, const struct fact *f)
{
    enum action_proof proof = c->writes->intent.proof;
    c->writes->state = f->u.written.state;
    c->written_ms = f->at_ms;
    c->doubt |= f->u.written.state == WRITE_UNKNOWN;
    if (f->u.written.state != WRITE_DONE)
        return;
    c->wrote = c->writes->landed_told = true;
    c->wrote_template |= proof == PROOF_RESTARTED_AT || proof == PROOF_TEMPLATE_HASH;
}

/* Room for one more. */
static void *grow(void *array, size_t *cap, size_t len, size_t size)
{
    if (len < *cap)
        return array;
    *cap = *cap ? 2 * *cap : 64;
    return must(realloc(array, *cap * size));
}

static void fold_pause(struct model *m, const struct fact *f)
{
    struct pausing p = { .scope = f->kind == FACT_INSTALLED ? PAUSE_EVERYWHERE : f->u.paused.scope };
    if (f->kind != FACT_INSTALLED) {
        memcpy(p.name, f->u.paused.name, sizeof p.name);
        p.until_ms = f->u.paused.until_ms;
    }
    for (size_t k = m->pauses_len; k-- > 0;)
        if (m->pauses[k].scope == p.scope && strcmp(m->pauses[k].name, p.name) == 0)
            m->pauses[k] = m->pauses[--m->pauses_len];
    if (f->kind != FACT_RESUMED && m->pauses_len < PAUSINGS_MAX)
        m->pauses[m->pauses_len++] = p;
}

static void fold_arrived(struct model *m, const struct course *c, bool changed, int64_t at_ms)
{
    m->arrived = grow(m->arrived, &m->arrived_cap, m->arrived_len, sizeof *m->arrived);
    struct arrived *x = &m->arrived[m->arrived_len++];
    x->at_ms = at_ms;
    memcpy(x->incident, c->id, sizeof x->incident);
    memcpy(x->environment, c->environment, sizeof x->environment);
    memcpy(x->name, c->target.name, sizeof x->name);
    x->changed = changed;
}

static void fold_failing(struct model *m, const char *environment, const char *action, bool helped,
                         int64_t at_ms)
{
    struct failing *x = (struct failing *)model_failing(m, environment, action);
    if (!x) {
        m->failing = grow(m->failing, &m->failing_cap, m->failing_len, sizeof *m->failing);
        x = &m->failing[m->failing_len++];
        memset(x, 0, sizeof *x);
        text_copy(x->environment, sizeof x->environment, environment);
        text_copy(x->action, sizeof x->action, action);
    }
    x->failures = helped ? 0 : x->failures + 1;
    x->last_ms = at_ms;
}

static void fold_asked(struct course *c, const struct fact *f)
{
    struct asked *a = &c->asked;
    *a = (struct asked){ .wanted = f->u.asked.wanted, .until_ms = f->u.asked.until_ms };
    memcpy(a->step, f->u.asked.step, sizeof a->step);
    memcpy(a->guard, f->u.asked.guard, sizeof a->guard);
    memcpy(a->role, f->u.asked.role, sizeof a->role);
    memcpy(a->hash, f->u.asked.hash, sizeof a->hash);
}

static void fold_word(struct course *c, const struct fact *f)
{
    c->cancelled |= f->u.word.word == WORD_CANCEL;
    c->again_ms = f->u.word.word == WORD_RETRY ? 0 : c->again_ms;
    if (f->u.word.word == WORD_DENY)
        c->asked.denied = true;
    if (f->u.word.word == WORD_APPROVE && c->asked.given < YES_MAX)
        memcpy(c->asked.by[c->asked.given++], f->u.word.who, sizeof c->asked.by[0]);
}

static void fold_proven(struct model *m, const struct fact *f)
{
    if (m->proved_len == m->proved_cap) {
        m->proved_cap = m->proved_cap ? 2 * m->proved_cap : 64;
        m->proved = must(realloc(m->proved, m->proved_cap * sizeof *m->proved));
    }
    struct proved *x = &m->proved[m->proved_len++];
    memcpy(x->uid, f->u.proven.target.uid, sizeof x->uid);
    memcpy(x->hash, f->u.proven.template_hash, sizeof x->hash);
}

static void fold_course(struct model *m, struct course *c, const struct fact *f)
{
    if (f->kind == FACT_STEP || f->kind == FACT_ASKED || f->kind == FACT_WORD || f->kind == FACT_ENDING ||
        f->kind == FACT_INTENT)
        c->moved_ms = f->at_ms;
    switch (f->kind) {
    case FACT_RESOLVED:
        c->target = f->u.resolved.target;
        c->resolved = true;
        c->mode = (enum mode)f->u.resolved.mode;
        memcpy(c->environment, f->u.resolved.environment, sizeof c->environment);
        fold_arrived(m, c, f->u.resolved.changed, f->at_ms);
        break;
    case FACT_REFUSED:
        c->again_ms = f->u.refused.scope == REFUSED_LATER ? f->u.refused.again_ms : 0;
        break;
    case FACT_MERGED:
        leave(m, c->id, f->u.merged.into);
        if (m->arrived_len && strcmp(m->arrived[m->arrived_len - 1].incident, c->id) == 0)
            m->arrived_len--; /* no other trouble */
        break;
    case FACT_INTENT:
        fold_intent(m, c, f);
        memcpy(c->environment, f->u.intent.environment, ENVIRONMENT_NAME_SIZE);
        break;
    case FACT_WRITTEN:
        if (c->writes)
            fold_written(c, f);
        if (f->u.written.state == WRITE_FAILED)
            fold_failing(m, c->environment, f->u.written.action, false, f->at_ms);
        break;
    case FACT_VERDICT:
        c->fixed |= f->u.verdict.verdict == VERDICT_FIXED;
        c->worse = f->u.verdict.worse;
        fold_failing(m, c->environment, f->u.verdict.action, f->u.verdict.verdict == VERDICT_FIXED, f->at_ms);
        break;
    case FACT_ENDING:
        c->ending = true;
        break;
    case FACT_ASKED:
        fold_asked(c, f);
        break;
    case FACT_WORD:
        fold_word(c, f);
        break;
    case FACT_STEP:
        if (f->u.step.event == STEP_BEGAN) {
            memcpy(c->waits_step, f->u.step.step, sizeof c->waits_step);
            c->waits_ms = f->at_ms;
            c->delayed_until_ms = f->u.step.until_ms;
        }
        break;
    case FACT_CLOSED:
        c->outcome = f->u.closed.outcome;
        leave(m, c->id, "");
        break;
    default:
        break;
    }
}

void model_fold(struct model *m, const struct fact *f)
{
    if (f->kind == FACT_INSTALLED || f->kind == FACT_PAUSED || f->kind == FACT_RESUMED)
        fold_pause(m, f);
    if (f->kind == FACT_ALERT)
        fold_alert(m, f);
    for (struct course *c = m->courses;
         c && (f->kind == FACT_POLICY || f->kind == FACT_RESUMED || f->kind == FACT_PAUSED); c = c->hh.next)
        c->again_ms = 0;
    if (f->kind == FACT_PROVEN)
        fold_proven(m, f);
    if (f->kind == FACT_INCIDENT_OPENED && !model_course(m, f->incident))
        fold_opened(m, f);
    struct course *c = f->incident[0] ? model_course(m, f->incident) : NULL;
    if (!c)
        return;
    enum course_state either = COURSE_END_, after = course_after(c, f, &either);
    fold_course(m, c, f);
    if (f->kind != FACT_ALERT && f->kind != FACT_TOLD) {
        c->since_ms = c->state == after && either == COURSE_END_ ? c->since_ms : f->at_ms;
        c->state = after;
        c->either = either;
    }
}
