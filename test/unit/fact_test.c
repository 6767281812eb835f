/* test/unit/fact_test.c - facts as text: every kind goes through its text and comes back the same. */
#include "rules/model/fact.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/kit/fault.h"

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

/* UTF-8 of one to four bytes, quotes, escapes, controls. */
static void draw_text(char *ret, size_t size)
{
    static const char *const pieces[] = { "a",    "Z",  "0", "-", "/", "\"", "\\", "\n",
                                          "\x01", "\t", "ü", "€", "😀", " ",  "{",  "]" };
    size_t want = (size_t)draw(size), len = 0;
    ret[0] = '\0';
    for (;;) {
        const char *piece = pieces[draw(16)];
        if (len + strlen(piece) > want || len + strlen(piece) >= size)
            return;
        len += (size_t)snprintf(ret + len, size - len, "%s", piece);
    }
}
#define DRAW(array) draw_text(array, sizeof(array))

static int64_t draw_ms(void)
{
    return draw(4) == 0 ? 0 : (int64_t)draw(1u << 31) * 1000 - (draw(8) == 0 ? 1ll << 41 : 0);
}

static void draw_target(struct target *t)
{
    DRAW(t->cluster);
    DRAW(t->namespace);
    DRAW(t->kind);
    draw_text(t->name, 100); /* a control character is six bytes in JSON: all of them at once would not fit */
    DRAW(t->uid);
}

static void draw_alert(struct fact *f, size_t value_size)
{
    struct alert *a = &f->u.alert.alert;
    size_t labels = 1 + (size_t)draw(6);
    char name[40];
    char *value = malloc(value_size);
    cr_assert_not_null(value);
    DRAW(a->source);
    a->status = (enum alert_status)draw(2);
    a->starts_ms = draw_ms();
    a->ends_ms = draw_ms();
    for (size_t k = 0; k < labels; k++) {
        snprintf(name, sizeof name, "label \"%zu\" €", k);
        draw_text(value, value_size);
        cr_assert_eq(map_set(&a->labels, name, value, NULL), ERR_OK);
        draw_text(value, value_size);
        cr_assert_eq(map_set(&a->annotations, name, value, NULL), ERR_OK);
    }
    memset(value, 'x', value_size - 1);
    value[value_size - 1] = '\0';
    cr_assert_eq(map_set(&a->labels, "long", value, NULL), ERR_OK);
    free(value);
    f->u.alert.disposition = (enum alert_disposition)draw(7);
    DRAW(f->u.alert.reason);
}

static void draw_intent(struct intent *n, const struct fact *f)
{
    memcpy(n->incident, f->incident, sizeof n->incident);
    n->at_ms = f->at_ms;
    DRAW(n->step);
    n->attempt = (uint32_t)draw(INT32_MAX);
    n->write = (uint32_t)draw(20);
    DRAW(n->action);
    n->proof = (enum action_proof)draw(4);
    snprintf(n->target.name, sizeof n->target.name, "web-%d", (int)draw(1000));
    DRAW(n->target.namespace);
    DRAW(n->target.uid);
    DRAW(n->environment);
    n->expires_ms = draw_ms();
    DRAW(n->resource_version);
    DRAW(n->old_template_hash);
    n->old_template_since_ms = draw_ms();
    n->old_replicas = (int32_t)draw(INT32_MAX) - 5;
    DRAW(n->restarted_at);
    DRAW(n->template_hash);
    snprintf(n->revision, sizeof n->revision, "web-%d", (int)draw(1000));
    n->replicas = (int32_t)draw(100);
    snprintf(n->pod_name, sizeof n->pod_name, "web-%d", (int)draw(1000));
    DRAW(n->pod_uid);
    n->old_available = (int32_t)draw(100);
    n->undo = (int32_t)draw(2);
}

/* What nobody looked at (an unknown cause) is not written, and comes back as not known. */
static void draw_evidence(struct evidence *v)
{
    *v = EVIDENCE_INIT;
    v->cause = (enum cause)draw(CAUSE_CREATING + 1);
    if (v->cause == CAUSE_UNKNOWN)
        return;
    v->probed = draw(2);
    DRAW(v->reason);
    DRAW(v->ended);
    v->exit_code = (int32_t)draw(256) - 1;
    v->restarts = (int32_t)draw(1000) - 1;
    DRAW(v->container);
    draw_text(v->pod, 100);
    draw_text(v->node, 100);
    DRAW(v->message);
}

static void draw_steps(struct fact *f)
{
    switch (f->kind) {
    case FACT_REFUSED:
        DRAW(f->u.refused.step);
        DRAW(f->u.refused.guard);
        DRAW(f->u.refused.reason);
        f->u.refused.scope = (enum refusal_scope)draw(2);
        f->u.refused.again_ms = draw_ms();
        break;
    case FACT_INTENT:
        draw_intent(&f->u.intent, f);
        break;
    case FACT_WRITTEN:
        DRAW(f->u.written.step);
        DRAW(f->u.written.action);
        f->u.written.attempt = (uint32_t)draw(9);
        f->u.written.write = (uint32_t)draw(9);
        f->u.written.state = (enum write_state)draw(7);
        f->u.written.again_ms = draw_ms();
        f->u.written.wall_ms = draw_ms();
        DRAW(f->u.written.template_hash);
        DRAW(f->u.written.reason);
        break;
    case FACT_VERDICT:
        DRAW(f->u.verdict.step);
        DRAW(f->u.verdict.action);
        f->u.verdict.attempt = (uint32_t)draw(9);
        f->u.verdict.verdict = (enum verdict)draw(4);
        f->u.verdict.worse = (int32_t)draw(2);
        f->u.verdict.repaired_ms = draw_ms();
        f->u.verdict.confirmed_ms = draw_ms();
        DRAW(f->u.verdict.reason);
        break;
    case FACT_STEP:
        DRAW(f->u.step.step);
        f->u.step.event = (enum step_event)draw(3);
        f->u.step.result = (int)draw(7);
        f->u.step.until_ms = draw_ms();
        DRAW(f->u.step.order);
        DRAW(f->u.step.reason);
        break;
    case FACT_NOTIFY:
        snprintf(f->u.notify.step, sizeof f->u.notify.step, "steps.%d", (int)draw(60));
        snprintf(f->u.notify.receiver, sizeof f->u.notify.receiver, "team-%d", (int)draw(60));
        DRAW(f->u.notify.text);
        break;
    default:
        break;
    }
}

static void draw_words(struct fact *f)
{
    switch (f->kind) {
    case FACT_ENDING:
        f->u.ending.outcome = (enum outcome)draw(9);
        f->u.ending.wall_ms = draw_ms();
        DRAW(f->u.ending.reason);
        break;
    case FACT_ASKED:
        snprintf(f->u.asked.step, sizeof f->u.asked.step, "steps.%d", (int)draw(60));
        DRAW(f->u.asked.guard);
        DRAW(f->u.asked.role);
        f->u.asked.wanted = (int32_t)draw(5);
        f->u.asked.until_ms = draw_ms();
        DRAW(f->u.asked.hash);
        DRAW(f->u.asked.reason);
        break;
    case FACT_WORD:
        f->u.word.word = (enum word)draw(4);
        DRAW(f->u.word.who);
        DRAW(f->u.word.hash);
        DRAW(f->u.word.reason);
        break;
    default:
        break;
    }
}

static char *draw_json(size_t elements)
{
    struct buf b = BUF_INIT;
    buf_addc(&b, '[');
    for (size_t k = 0; k < elements; k++)
        buf_addf(&b, "%s{\"n\":%u,\"t\":\"x\\\"€\"}", k ? "," : "", (unsigned)draw(1000));
    buf_addc(&b, ']');
    return buf_detach(&b);
}

static struct fact draw_fact(enum fact_kind kind, bool big)
{
    struct fact f = { .kind = kind, .seq = 1 + (int64_t)draw(1000), .at_ms = 1 + draw_ms() };
    snprintf(f.incident, sizeof f.incident, "0abc%u", (unsigned)draw(1000));
    draw_steps(&f);
    draw_words(&f);
    switch (kind) {
    case FACT_INSTALLED:
        DRAW(f.u.installed.id);
        break;
    case FACT_PAUSED:
    case FACT_RESUMED:
        DRAW(f.u.paused.who);
        DRAW(f.u.paused.reason);
        f.u.paused.scope = (enum pause_scope)draw(4);
        DRAW(f.u.paused.name);
        f.u.paused.until_ms = draw_ms();
        break;
    case FACT_TIME_JUMPED:
        f.u.jumped.by_ms = draw_ms();
        f.u.jumped.wall_ms = draw_ms();
        break;
    case FACT_ALERT:
        draw_alert(&f, big ? 4000 : 60);
        break;
    case FACT_STATE:
        DRAW(f.u.state.part);
        f.u.state.text = draw_json(big ? 1000 : (size_t)draw(20));
        break;
    case FACT_SNAPSHOT:
        f.u.snapshot.of = draw_ms();
        f.u.snapshot.rows = draw_ms();
        DRAW(f.u.snapshot.link);
        f.u.snapshot.trim = draw_ms();
        DRAW(f.u.snapshot.trim_link);
        break;
    case FACT_SEEN:
        f.u.seen.text = draw_json(big ? 1000 : (size_t)draw(20));
        break;
    case FACT_INCIDENT_OPENED:
        DRAW(f.u.opened.rule);
        DRAW(f.u.opened.source);
        f.u.opened.starts_ms = draw_ms();
        DRAW(f.u.opened.beside);
        f.u.opened.target_index = (int32_t)draw(8);
        DRAW(f.u.opened.who);
        DRAW(f.u.opened.reason);
        DRAW(f.u.opened.target.uid);
        f.u.opened.plan = draw_json(big ? 1000 : (size_t)draw(20));
        break;
    case FACT_RESOLVED:
        draw_target(&f.u.resolved.target);
        DRAW(f.u.resolved.environment);
        f.u.resolved.mode = (int)draw(3);
        draw_evidence(&f.u.resolved.evidence);
        f.u.resolved.changed = (int32_t)draw(2);
        DRAW(f.u.resolved.former);
        f.u.resolved.times = (int32_t)draw(9);
        break;
    case FACT_MERGED:
        DRAW(f.u.merged.into);
        break;
    case FACT_CLOSED:
        f.u.closed.outcome = (enum outcome)draw(9);
        f.u.closed.wall_ms = draw_ms();
        DRAW(f.u.closed.reason);
        break;
    case FACT_TOLD:
        f.u.told.revision = draw_ms();
        f.u.told.annotation_id = draw_ms();
        break;
    case FACT_PROVEN:
        draw_target(&f.u.proven.target);
        DRAW(f.u.proven.template_hash);
        f.u.proven.since_ms = draw_ms();
        break;
    case FACT_POLICY:
        DRAW(f.u.policy.hash);
        break;
    default:
        break;
    }
    return f;
}

static bool same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

/* All texts begin as zeros, so plain data can be compared whole. */
static bool same(struct fact *a, struct fact *b)
{
    if (a->kind != b->kind || a->seq != b->seq || a->at_ms != b->at_ms ||
        strcmp(a->incident, b->incident) != 0)
        return false;
    if (a->kind == FACT_SEEN)
        return same_text(a->u.seen.text, b->u.seen.text);
    if (a->kind == FACT_STATE)
        return strcmp(a->u.state.part, b->u.state.part) == 0 && same_text(a->u.state.text, b->u.state.text);
    if (a->kind == FACT_INCIDENT_OPENED)
        return same_text(a->u.opened.plan, b->u.opened.plan) &&
               strcmp(a->u.opened.rule, b->u.opened.rule) == 0 &&
               strcmp(a->u.opened.source, b->u.opened.source) == 0 &&
               a->u.opened.starts_ms == b->u.opened.starts_ms &&
               strcmp(a->u.opened.who, b->u.opened.who) == 0 &&
               strcmp(a->u.opened.beside, b->u.opened.beside) == 0 &&
               a->u.opened.target_index == b->u.opened.target_index &&
               strcmp(a->u.opened.reason, b->u.opened.reason) == 0 &&
               memcmp(&a->u.opened.target, &b->u.opened.target, sizeof a->u.opened.target) == 0;
    if (a->kind != FACT_ALERT)
        return memcmp(&a->u, &b->u, sizeof a->u) == 0;
    const struct alert *x = &a->u.alert.alert, *y = &b->u.alert.alert;
    return map_equal(&x->labels, &y->labels) && map_equal(&x->annotations, &y->annotations) &&
           x->status == y->status && strcmp(x->source, y->source) == 0 && x->starts_ms == y->starts_ms &&
           x->ends_ms == y->ends_ms && a->u.alert.disposition == b->u.alert.disposition &&
           strcmp(a->u.alert.reason, b->u.alert.reason) == 0;
}

static void round_trip(struct fact *f, bool want_blob)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    CLEANUP(buf_release) struct buf blob = BUF_INIT;
    struct err e = ERR_INIT;
    const char *text = NULL;
    size_t len = 0;
    struct fact read = { .kind = 0 };
    cr_assert_eq(json_writer_new(&w, &e), ERR_OK);
    cr_assert_eq(fact_write(w, f, &text, &len, &blob, &e), ERR_OK, "%s", e.msg);
    cr_assert_leq(len, FACT_BODY_MAX);
    cr_assert_eq(len, strlen(text));
    cr_assert_eq(blob.len > 0, want_blob, "%s: %zu bytes beside %zu", fact_kind_name(f->kind), blob.len, len);
    cr_assert_eq(fact_parse(&read, f->seq, f->at_ms, fact_kind_name(f->kind), f->incident, text, len,
                            want_blob ? buf_text(&blob) : NULL, blob.len, &e),
                 ERR_OK, "%s in %s", e.msg, text);
    cr_assert(same(f, &read), "%s came back changed: %s", fact_kind_name(f->kind), text);
    fact_release(&read);
}

Test(fact, every_kind_comes_back_from_its_text)
{
    seed = 1;
    for (int kind = 1; kind < FACT_KIND_END_; kind++)
        for (int n = 0; n < 200; n++) {
            struct fact f = draw_fact((enum fact_kind)kind, false);
            round_trip(&f, false);
            fact_release(&f);
        }
}

Test(fact, what_is_long_travels_in_a_blob)
{
    static const enum fact_kind kinds[] = { FACT_ALERT, FACT_INCIDENT_OPENED, FACT_SEEN };
    seed = 2;
    for (size_t k = 0; k < 3; k++)
        for (int n = 0; n < 40; n++) {
            struct fact f = draw_fact(kinds[k], true);
            round_trip(&f, true);
            fact_release(&f);
        }
}

/* The longest texts that Kubernetes and the policy allow, in every place at once. */
Test(fact, the_longest_intent_fits)
{
    struct fact f = { .kind = FACT_INTENT, .seq = 1, .at_ms = 1 };
    struct intent *n = &f.u.intent;
    char *const texts[] = {
        n->step,         n->action,        n->target.cluster, n->target.namespace, n->target.kind,
        n->target.name,  n->target.uid,    n->environment,    n->resource_version, n->old_template_hash,
        n->restarted_at, n->template_hash, n->revision,       n->pod_name,         n->pod_uid
    };
    const size_t sizes[] = { sizeof n->step,
                             sizeof n->action,
                             sizeof n->target.cluster,
                             sizeof n->target.namespace,
                             sizeof n->target.kind,
                             sizeof n->target.name,
                             sizeof n->target.uid,
                             sizeof n->environment,
                             sizeof n->resource_version,
                             sizeof n->old_template_hash,
                             sizeof n->restarted_at,
                             sizeof n->template_hash,
                             sizeof n->revision,
                             sizeof n->pod_name,
                             sizeof n->pod_uid };
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
        memset(texts[k], 'x', sizes[k] - 1);
    n->at_ms = 1;
    n->attempt = n->write = INT32_MAX;
    n->old_replicas = n->replicas = INT32_MIN;
    n->expires_ms = n->old_template_since_ms = INT64_MAX;
    round_trip(&f, false);
}

Test(fact, bytes_that_are_no_utf8_are_cleaned)
{
    struct fact f = { .kind = FACT_CLOSED, .seq = 1, .at_ms = 1 };
    snprintf(f.u.closed.reason, sizeof f.u.closed.reason,
             "cut \xe2\x82 inside, \xff, and whole: \xe2\x82\xac");
    fact_clean(&f);
    cr_assert_str_eq(f.u.closed.reason, "cut ?? inside, ?, and whole: €");
    round_trip(&f, false);
}

Test(fact, a_text_that_would_be_too_long_even_so_is_refused)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    CLEANUP(buf_release) struct buf blob = BUF_INIT;
    struct err e = ERR_INIT;
    struct fact f = { .kind = FACT_RESOLVED, .seq = 1, .at_ms = 1 };
    const char *text = NULL;
    size_t len = 7;
    memset(f.u.resolved.target.name, 1, sizeof f.u.resolved.target.name - 1); /* six bytes each as JSON */
    memset(f.u.resolved.target.cluster, 1, sizeof f.u.resolved.target.cluster - 1);
    memset(f.u.resolved.target.namespace, 1, sizeof f.u.resolved.target.namespace - 1);
    memset(f.u.resolved.target.uid, 1, sizeof f.u.resolved.target.uid - 1);
    memset(f.u.resolved.environment, 1, sizeof f.u.resolved.environment - 1);
    cr_assert_eq(json_writer_new(&w, &e), ERR_OK);
    cr_assert_eq(fact_write(w, &f, &text, &len, &blob, &e), ERR_LIMIT);
    cr_assert_not_null(strstr(e.msg, "\"resolved\""), "%s", e.msg);
    cr_assert(!text && len == 7, "outputs stay untouched");
}

/* ---- what cannot be read ---- */

struct bad { /* plain data: Criterion hands it to another process */
    char kind[24], text[300], blob[60];
    enum err_code code;
    char blamed[60];
};

ParameterizedTestParameters(fact, is_refused_with_a_reason)
{
    static struct bad cases[] = {
        { "chosen", "{'v':1}", "", ERR_VERSION, "kind \"chosen\"" },
        { "", "{'v':1}", "", ERR_VERSION, "start the release that wrote it, or a newer one" },
        { "closed", "{'v':2,'outcome':'healed'}", "", ERR_VERSION, "version 2 is newer" },
        { "closed", "{'v':2,'outcome':'healed'}", "", ERR_VERSION, "start the release that wrote it" },
        { "closed", "{'v':1,'outcome':'healed','colour':'red'}", "", ERR_VERSION, "\"colour\"" },
        { "closed", "{'v':1,'outcome':'blessed'}", "", ERR_VERSION, "\"blessed\"" },
        { "alert", "{'v':1,'source':'a','disposition':'sold','status':'firing','labels':{},'annotations':{}}",
          "", ERR_VERSION, "\"sold\"" },
        { "refused", "{'v':1,'scope':'never'}", "", ERR_VERSION, "\"never\"" },
        { "closed", "{'outcome':'healed'}", "", ERR_INVALID, "no version" },
        { "closed", "{'v':'1','outcome':'healed'}", "", ERR_INVALID, "no version" },
        { "closed", "{'v':1}", "", ERR_INVALID, "\"outcome\" is missing" },
        { "closed", "{'v':1,'outcome':7}", "", ERR_INVALID, "\"outcome\"" },
        { "closed", "{'v':1,'outcome':'healed'", "", ERR_INVALID, "fact 9 (closed)" },
        { "closed", "['v',1]", "", ERR_INVALID, "not a JSON object" },
        { "closed", "", "", ERR_INVALID, "fact 9" },
        { "closed", "{'v':1,'outcome':'healed'}x", "", ERR_INVALID, "fact 9" },
        { "told", "{'v':1,'revision':'seven'}", "", ERR_INVALID, "\"revision\" is not an integer" },
        { "told", "{'v':1,'revision':1.5}", "", ERR_INVALID, "\"revision\"" },
        { "intent", "{'v':1,'proof':'replicas','replicas':2147483648}", "", ERR_INVALID, "\"replicas\"" },
        { "merged", "{'v':1,'into':'01234567890123456789012345'}", "", ERR_INVALID,
          "\"into\" is not a text of less than 24" },
        { "merged", "{'v':1,'into':5}", "", ERR_INVALID, "\"into\"" },
        { "alert", "{'v':1,'source':'a','disposition':'held','status':'on','labels':{},'annotations':{}}", "",
          ERR_INVALID, "neither firing" },
        { "alert", "{'v':1,'source':'a','disposition':'held','status':'firing'}", "", ERR_INVALID,
          "\"labels\" is missing" },
        { "alert", "{'v':1,'source':'a','disposition':'held','status':'firing','labels':{}}", "", ERR_INVALID,
          "\"annotations\" is missing" },
        { "alert",
          "{'v':1,'source':'a','disposition':'held','status':'firing','labels':{'a':1},'annotations':{}}", "",
          ERR_INVALID, "\"a\"" },
        { "alert", "{'v':1,'source':'a','disposition':'held','status':'firing'}", "{'labels':{}}",
          ERR_INVALID, "\"annotations\"" },
        { "alert", "{'v':1,'source':'a','disposition':'held','status':'firing'}", "{'labels", ERR_INVALID,
          "fact 9 (alert)" },
        { "incident_opened", "{'v':1,'rule':'r'}", "", ERR_INVALID, "it has no blob" },
        { "seen", "{'v':1}", "", ERR_INVALID, "it has no blob" },
    };
    return cr_make_param_array(struct bad, cases, sizeof cases / sizeof cases[0]);
}

static void double_quotes(char *text)
{
    for (; *text; text++)
        *text = *text == '\'' ? '"' : *text;
}

ParameterizedTest(struct bad *c, fact, is_refused_with_a_reason)
{
    struct err e = ERR_INIT;
    struct fact f, before;
    memset(&f, 0x5a, sizeof f);
    before = f;
    double_quotes(c->text);
    double_quotes(c->blob);
    cr_assert_eq(fact_parse(&f, 9, 1, c->kind, "0abc", c->text, strlen(c->text), c->blob[0] ? c->blob : NULL,
                            strlen(c->blob), &e),
                 c->code, "%s: %s", err_code_name(e.code), e.msg);
    cr_assert_eq(memcmp(&f, &before, sizeof f), 0, "*ret must stay untouched");
    cr_assert_not_null(strstr(e.msg, c->blamed), "\"%s\" lacks \"%s\"", e.msg, c->blamed);
    cr_assert_not_null(strstr(e.msg, "fact 9"), "%s", e.msg);
}

Test(fact, an_incident_with_a_too_long_id_is_refused)
{
    struct err e = ERR_INIT;
    struct fact f = { .kind = 0 };
    cr_assert_eq(fact_parse(&f, 9, 1, "told", "012345678901234567890123456789", "{\"v\":1}", 7, NULL, 0, &e),
                 ERR_INVALID);
    cr_assert_eq(f.kind, 0);
}

Test(fact, every_cut_of_a_text_is_refused)
{
    static const char text[] = "{\"v\":1,\"step\":\"steps.0\",\"action\":\"restart\",\"attempt\":1,\"write\":"
                               "1,\"state\":\"done\",\"reason\":\"\\u00e4\"}";
    struct fact f = { .kind = 0 };
    for (size_t len = 0; len < sizeof text - 1; len++)
        cr_assert_eq(fact_parse(&f, 9, 1, "written", "0abc", text, len, NULL, 0, NULL), ERR_INVALID, "at %zu",
                     len);
    cr_assert_eq(fact_parse(&f, 9, 1, "written", "0abc", text, sizeof text - 1, NULL, 0, NULL), ERR_OK);
    fact_release(&f);
}

Test(fact, parsing_without_memory_leaves_nothing_behind)
{
    static const char text[] = "{\"v\":1,\"source\":\"a\",\"disposition\":\"held\",\"status\":\"firing\","
                               "\"labels\":{\"a\":\"b\"},\"annotations\":{\"c\":\"d\"}}";
    struct fact f;
    unsigned n = 0;
    memset(&f, 0, sizeof f);
    do {
        fault_malloc_at(++n);
        enum err_code code = fact_parse(&f, 9, 1, "alert", "", text, sizeof text - 1, NULL, 0, NULL);
        if (fault_hit()) {
            cr_assert_eq(code, ERR_NOMEM, "allocation %u: %d", n, (int)code);
            cr_assert_eq(f.kind, 0, "*ret must stay untouched");
            continue;
        }
        cr_assert_eq(code, ERR_OK);
        break;
    } while (true);
    cr_assert_gt(n, 3u);
    fact_release(&f);
}

Test(fact, a_target_of_an_older_journal_has_no_evidence)
{
    static const char text[] =
        "{\"v\":1,\"cluster\":\"c\",\"namespace\":\"n\",\"kind\":\"Deployment\",\"name\":\"web\","
        "\"uid\":\"u\",\"environment\":\"e\",\"mode\":\"act\"}";
    struct fact f;
    struct err e = ERR_INIT;
    cr_assert_eq(fact_parse(&f, 1, 1, "resolved", "0abc1", text, sizeof text - 1, NULL, 0, &e), ERR_OK, "%s",
                 e.msg);
    cr_assert_eq(f.u.resolved.evidence.cause, CAUSE_UNKNOWN);
    cr_assert_eq(f.u.resolved.evidence.exit_code, -1);
    fact_release(&f);
}
