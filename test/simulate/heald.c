/* test/simulate/heald.c - the shell around the core, as receiver/runtime/turn.c has it: inputs are decided
 * one by one into a batch, the batch is committed, then senders are answered and effects start. Its journal
 * is a text in memory; its clock is the real one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/catalogue.h"
#include "rules/base/mutant.h"
#include "test/kit/engine_digest.h"
#include "test/simulate/sim.h"

#define TIMER_ROUNDS_MAX 100
#define COMMIT_AGAIN_MS SECOND_MS /* after one that failed */

/* ---- time ---- */

int64_t heald_wall(const struct sim *s)
{
    return s->now_ms + s->wall_off_ms;
}

static int64_t clock_wall(void *ctx)
{
    return heald_wall(ctx);
}

static int64_t clock_boot(void *ctx)
{
    const struct sim *s = ctx;
    return s->now_ms - SIM_START_MS + 1000;
}

int64_t heald_now(struct sim *s)
{
    return clock_now_ms(s->clock);
}

int64_t heald_next_ms(struct sim *s)
{
    int64_t deadline = s->up ? engine_next_deadline(s->g) : INT64_MAX;
    if (deadline == INT64_MAX)
        return INT64_MAX;
    int64_t left_ms = deadline - heald_now(s), at_ms = s->now_ms + (left_ms > 0 ? left_ms : 0);
    return at_ms > s->commit_again_ms ? at_ms : s->commit_again_ms;
}

/* ---- the journal ---- */

static void journal_add(struct sim *s, const struct fact *f)
{
    const char *text = NULL;
    struct err e = ERR_INIT;
    s->rows = sim_grow(s->rows, &s->rows_cap, s->rows_len, sizeof *s->rows);
    struct row *r = &s->rows[s->rows_len++];
    *r = (struct row){ .kind = f->kind, .seq = f->seq, .at_ms = f->at_ms };
    memcpy(r->incident, f->incident, sizeof r->incident);
    enum err_code code = fact_write(s->writer, f, &text, &r->len, &s->blob, &e);
    check(s, CHECK_REPLAY, !code, "fact %lld cannot be written: %s", (long long)f->seq, e.msg);
    r->text = s->journal.len;
    buf_add(&s->journal, code ? "" : text, code ? 0 : r->len);
    r->blob = s->journal.len;
    r->blob_len = s->blob.len;
    buf_add(&s->journal, buf_text(&s->blob), s->blob.len);
}

static void journal_cut(struct sim *s)
{
    s->rows_len = s->committed;
    s->journal.len = s->committed_bytes;
    if (s->journal.ptr)
        s->journal.ptr[s->journal.len] = '\0';
}

/* From its text. False: it was no fact, which is a failure. */
static bool row_read(struct sim *s, const struct row *r, struct fact *ret)
{
    struct err e = ERR_INIT;
    const char *bytes = buf_text(&s->journal);
    enum err_code code =
        fact_parse(ret, r->seq, r->at_ms, fact_kind_name(r->kind), r->incident, bytes + r->text, r->len,
                   r->blob_len ? bytes + r->blob : NULL, r->blob_len, &e);
    check(s, CHECK_REPLAY, !code, "fact %lld cannot be read: %s", (long long)r->seq, e.msg);
    return !code;
}

static void row_apply(struct sim *s, struct engine *g, const struct fact *f)
{
    struct err e = ERR_INIT;
    enum err_code code = engine_apply(g, f, &e);
    check(s, CHECK_REPLAY, !code, "replay refuses it: %s", e.msg);
}

static struct engine *engine_made(void)
{
    struct engine *g = NULL;
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    if (engine_new(&g, specs, len, NULL) != ERR_OK)
        abort();
    return g;
}

/* Every other process goes on from a snapshot of the state, whatever comes after it. */
static void from_snapshot(struct sim *s)
{
    struct err e = ERR_INIT;
    struct engine *g = s->process % 2 && !s->failed ? engine_by_snapshot(s->g, &e) : NULL;
    if (s->process % 2)
        check(s, CHECK_SNAPSHOT, g, "a snapshot cannot be had: %s", e.msg);
    if (!g)
        return;
    engine_free(s->g);
    s->g = g;
}

/* The engine and the model are what the journal says, and nothing else. */
static void replay(struct sim *s)
{
    s->g = engine_free(s->g);
    s->g = engine_made();
    s->model = model_free(s->model);
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    s->model = model_new(specs, len);
    for (size_t k = 0; k < s->committed && !s->failed; k++) {
        struct fact f;
        if (!row_read(s, &s->rows[k], &f))
            return;
        row_apply(s, s->g, &f);
        model_fold(s->model, &f);
        fact_release(&f);
    }
    from_snapshot(s);
    for (struct course *c = s->model->courses; c; c = c->hh.next)
        c->asked_ms = s->clock ? heald_now(s) : 0;
    s->stats->replayed++;
    check_replay(s);
    check_alerts_kept(s);
}

/* ---- turns ---- */

static void keep_effects(struct sim *s)
{
    for (size_t k = 0; k < s->d.effects_len; k++) {
        struct course *c = model_course(s->model, s->d.effects[k].incident);
        if (c)
            c->asked_ms = heald_now(s);
        s->pending = sim_grow(s->pending, &s->pending_cap, s->pending_len, sizeof *s->pending);
        s->pending[s->pending_len++] = s->d.effects[k];
        memset(&s->d.effects[k], 0, sizeof s->d.effects[k]);
    }
}

static void input(struct sim *s, struct input *in)
{
    struct err e = ERR_INIT;
    in->wall_ms = heald_wall(s);
    in->random = chance_next(&s->heald_chance);
    size_t rows = s->rows_len;
    struct known before = { .starts_ms = 0 },
                 *a = in->kind == INPUT_ALERT ? model_alert(s->model, in->alert) : NULL;
    if (a)
        before = *a;
    bool repeats = in->kind == INPUT_ALERT && engine_repeats(s->g, in->alert, &s->other);
    enum err_code code = engine_turn(s->g, s->p, heald_now(s), in, &s->d, &e);
    check(s, CHECK_SOUND, !code, "a turn cannot be applied: %s", e.msg);
    for (size_t k = 0; k < s->d.facts_len && !s->failed; k++) {
        journal_add(s, &s->d.facts[k]);
        check_fact(s, &s->d.facts[k]);
        model_fold(s->model, &s->d.facts[k]);
    }
    if (in->kind == INPUT_ALERT)
        check_alert(s, in->alert, a ? &before : NULL, repeats, rows);
    keep_effects(s);
    decision_clear(&s->d);
    s->stats->turns++;
}

/* What comes before the first input of a batch. */
static void begin_turn(struct sim *s)
{
    if (s->in_turn)
        return;
    s->in_turn = true;
    if (s->must_start)
        input(s, &(struct input){ .kind = INPUT_STARTED });
    s->must_start = false;
    struct input jump = { .kind = INPUT_JUMPED };
    heald_now(s);
    if (clock_jumped(s->clock, &jump.by_ms))
        input(s, &jump);
    s->jumped_ms = jump.by_ms;
}

void heald_input(struct sim *s, struct input in)
{
    if (!s->up || s->failed)
        return;
    begin_turn(s);
    input(s, &in);
}

void heald_timer(struct sim *s)
{
    struct input in = { .kind = INPUT_TIMER };
    int rounds = 0;
    while (s->up && !s->failed && engine_next_deadline(s->g) <= heald_now(s) && rounds++ < TIMER_ROUNDS_MAX)
        heald_input(s, in);
    check(s, CHECK_AWAKE, rounds < TIMER_ROUNDS_MAX, "the core wants to be called for ever at one time");
}

/* ---- commit ---- */

static void drop_effects(struct sim *s)
{
    while (s->pending_len)
        effect_release(&s->pending[--s->pending_len]);
}

static void answer_senders(struct sim *s, bool accepted)
{
    if (accepted)
        check_accepted(s);
    for (size_t k = 0; k < s->accepted_len; k++) {
        if (!accepted) {
            told_unsure(s, &s->accepted[k].alert);
            alerts_refused(s, s->accepted[k].series);
        }
        alert_release(&s->accepted[k].alert);
    }
    s->accepted_len = 0;
}

static void start_effects(struct sim *s)
{
    size_t left = 0;
    for (size_t k = 0; k < s->pending_len; k++) {
        struct effect *f = &s->pending[k];
        if (f->kind == EFFECT_OBSERVE && !engine_wants(s->g, f))
            effect_release(f); /* asked again, or its incident has ended */
        else if (s->working < WORKERS)
            api_start(s, f);
        else
            s->pending[left++] = *f;
    }
    s->pending_len = left;
}

static void make_durable(struct sim *s)
{
    for (size_t k = s->committed; k < s->rows_len && !s->failed; k++) {
        struct fact f;
        if (!row_read(s, &s->rows[k], &f))
            return;
        row_apply(s, s->shadow, &f);
        fact_release(&f);
        count_name(&s->stats->facts, fact_kind_name(s->rows[k].kind), 1);
    }
    s->committed = s->rows_len;
    s->committed_bytes = s->journal.len;
}

static void crash(struct sim *s, const char *when)
{
    say(s, "heald dies %s", when);
    s->up = s->in_turn = false;
    s->process++;
    s->working = s->writing = 0;
    journal_cut(s);
    answer_senders(s, false);
    drop_effects(s);
    s->doom = DOOM_NONE;
    int64_t away_ms = chance_in(&s->chance, 1, 60) * SECOND_MS;
    event_add(s, s->now_ms + away_ms, EVENT_START, 0, NULL);
}

/* The commit fails, or seems to: the engine is rebuilt from what is durable. */
static void lose_commit(struct sim *s, bool durable)
{
    say(s, "a commit %s", durable ? "seems to fail, but is durable" : "fails");
    s->stats->lost_commits++;
    s->commit_again_ms = s->now_ms + COMMIT_AGAIN_MS;
    if (!durable)
        journal_cut(s);
    answer_senders(s, false);
    drop_effects(s);
    replay(s);
    s->must_start = true;
}

/* Does what was drawn strike at this commit? */
static enum doom strikes(struct sim *s)
{
    enum doom doom = s->doom;
    bool here = doom != DOOM_NONE && s->doom_kind == 0;
    for (size_t k = s->committed; doom != DOOM_NONE && k < s->rows_len; k++)
        here |= s->rows[k].kind == s->doom_kind;
    if (s->now_ms < s->disk_full_until_ms && s->rows_len > s->committed)
        return DOOM_LOST;
    if (!here || s->committed == s->rows_len)
        return DOOM_NONE;
    s->doom = DOOM_NONE;
    return doom;
}

void heald_commit(struct sim *s)
{
    if (!s->up || s->failed)
        return;
    enum doom doom = s->in_turn ? strikes(s) : DOOM_NONE;
    bool durable = doom != DOOM_LOST && doom != DOOM_BEFORE;
    s->in_turn = false;
    if (MUTANT(effect_before_commit))
        start_effects(s);
    if (MUTANT(answer_before_commit))
        answer_senders(s, true);
    if (durable)
        make_durable(s);
    if (s->failed)
        return;
    if (doom == DOOM_ANSWERED || doom == DOOM_NONE)
        clock_jump_recorded(s->clock, s->jumped_ms);
    s->jumped_ms = 0;
    if (doom == DOOM_LOST || doom == DOOM_UNKNOWN) {
        lose_commit(s, durable);
        return;
    }
    if (doom == DOOM_ANSWERED || doom == DOOM_NONE)
        answer_senders(s, true);
    if (doom != DOOM_NONE)
        crash(s, durable ? "after a commit" : "before a commit");
    else
        start_effects(s);
}

/* ---- life ---- */

static void start(struct sim *s)
{
    int64_t last_ms = s->committed ? s->rows[s->committed - 1].at_ms : 0, by_ms = 0;
    clock_free(s->clock);
    struct clock_sources sources = { clock_wall, clock_boot, s };
    s->clock = clock_new(last_ms, &sources);
    if (!s->clock)
        abort();
    s->up = true;
    s->started_ms = clock_now_ms(s->clock);
    s->watch_ms = s->knows_ms = s->now_ms;
    s->must_start = false;
    say(s, "heald starts");
    replay(s);
    if (s->failed)
        return;
    s->in_turn = true; /* its first turn: nothing is asked yet */
    if (!s->committed)
        input(s, &(struct input){ .kind = INPUT_INSTALLED });
    struct input in = { .kind = INPUT_POLICY };
    memcpy(in.text, s->policy_hash, sizeof s->policy_hash);
    input(s, &in);
    if (clock_doubtful(s->clock, &by_ms) && !engine_paused(s->g, NULL, NULL))
        input(s, &(struct input){ .kind = INPUT_PAUSE, .who = "heald", .text = "the clock is doubtful" });
    if (engine_paused(s->g, NULL, NULL))
        event_add(s, s->now_ms + chance_in(&s->chance, 10, 600) * SECOND_MS, EVENT_RESUME, 0, NULL);
    heald_commit(s);
    s->must_start = true;
    begin_turn(s);
    heald_timer(s);
}

/* Some of the next commits is to fail, or heald dies around it. */
static void draw_doom(struct sim *s, struct chance *c)
{
    static const enum fact_kind kinds[] = { 0,           FACT_ALERT,   FACT_INCIDENT_OPENED, FACT_INTENT,
                                            FACT_INTENT, FACT_WRITTEN, FACT_WRITTEN,         FACT_VERDICT,
                                            FACT_CLOSED };
    s->doom = (enum doom)chance_in(c, DOOM_LOST, DOOM_ANSWERED);
    s->doom_kind = kinds[chance_in(c, 0, (int64_t)(sizeof kinds / sizeof kinds[0]) - 1)];
}

static void due_crash(struct sim *s, enum mishap m)
{
    struct chance c;
    bool happens = mishap(s, m, &c);
    int64_t next_ms = s->now_ms + chance_in(&c, 2, m == MISHAP_CRASH ? 120 : 40) * MINUTE_MS;
    if (s->quiet_ms)
        return;
    event_add(s, next_ms, EVENT_CRASH, m == MISHAP_COMMIT, NULL);
    if (!happens || !s->up)
        return;
    if (m == MISHAP_COMMIT)
        draw_doom(s, &c);
    else
        crash(s, "at some time");
}

/* The clock is set wrong, by more than what counts as a jump, and right again. */
static void set_clock(struct sim *s, bool wrong)
{
    struct chance c = { 0 };
    if (wrong) {
        bool happens = mishap(s, MISHAP_CLOCK, &c);
        int64_t by_ms = chance_in(&c, 70, 4000) * SECOND_MS * (chance_one_in(&c, 2) ? 1 : -1);
        int64_t mended_ms = s->now_ms + chance_in(&c, 20, 900) * SECOND_MS;
        if (s->quiet_ms)
            return;
        event_add(s, mended_ms + chance_in(&c, 30, 400) * MINUTE_MS, EVENT_CLOCK, 1, NULL);
        if (!happens)
            return;
        s->wall_off_ms = by_ms;
        event_add(s, mended_ms, EVENT_CLOCK, 0, NULL);
    } else {
        s->wall_off_ms = 0;
    }
    say(s, "the wall clock is set %s: %lld s", wrong ? "wrong" : "right", (long long)s->wall_off_ms / 1000);
    if (s->up)
        begin_turn(s);
}

/* What lasts for a while: the disk is full, a token has ended; or for a moment: the watch begins anew. */
static void due_trouble(struct sim *s, enum mishap m, enum event_kind kind)
{
    struct chance c;
    bool happens = mishap(s, m, &c);
    int64_t lasts_ms = chance_in(&c, 500, m == MISHAP_DISK ? 8000 : 120000);
    int64_t next_ms = s->now_ms + chance_in(&c, 10, 120) * MINUTE_MS;
    if (s->quiet_ms)
        return;
    event_add(s, next_ms, kind, 0, NULL);
    if (!happens)
        return;
    if (m == MISHAP_DISK)
        s->disk_full_until_ms = s->now_ms + lasts_ms;
    else if (m == MISHAP_TOKEN)
        s->token_wrong_until_ms = s->now_ms + lasts_ms;
    else
        s->watch_ms = s->now_ms;
    say(s, "%s",
        m == MISHAP_DISK    ? "the disk is full"
        : m == MISHAP_TOKEN ? "the token ends"
                            : "the watch begins anew");
}

/* Annotations are written, some time. */
static void tell(struct sim *s)
{
    char ids[8][INCIDENT_ID_SIZE];
    size_t n = s->up ? engine_untold(s->g, ids, 8) : 0;
    event_add(s, s->now_ms + chance_in(&s->chance, 1, 40) * SECOND_MS, EVENT_TELL, 0, NULL);
    for (size_t k = 0; k < n; k++) {
        struct incident_view v;
        struct input in = { .kind = INPUT_TOLD, .annotation_id = 7 };
        if (!engine_incident(s->g, ids[k], &v))
            continue;
        in.revision = v.revision;
        memcpy(in.incident, ids[k], sizeof in.incident);
        heald_input(s, in);
    }
}

void heald_event(struct sim *s, const struct event *e)
{
    switch (e->kind) {
    case EVENT_CRASH:
        due_crash(s, e->index ? MISHAP_COMMIT : MISHAP_CRASH);
        break;
    case EVENT_START:
        start(s);
        break;
    case EVENT_CLOCK:
        set_clock(s, e->index);
        break;
    case EVENT_DISK:
        due_trouble(s, MISHAP_DISK, EVENT_DISK);
        break;
    case EVENT_GAP:
        due_trouble(s, MISHAP_GAP, EVENT_GAP);
        break;
    case EVENT_TOKEN:
        due_trouble(s, MISHAP_TOKEN, EVENT_TOKEN);
        break;
    default:
        tell(s);
        break;
    }
}

void heald_begin(struct sim *s)
{
    struct err e = ERR_INIT;
    s->sources[0] = (struct source){ .name = (char *)"alertmanager", .kind = SOURCE_ALERTMANAGER };
    s->sources[1] = (struct source){ .name = (char *)"ci", .kind = SOURCE_GITHUB };
    if (matcher_parse(&s->may, "namespace=~\"shop|bank|attic|nowhere\"", &e) != ERR_OK ||
        matcher_parse(&s->only, "outside=\"\"", &e) != ERR_OK || json_writer_new(&s->writer, &e) != ERR_OK)
        abort();
    s->sources[0].may_namespaces = (struct matchers){ &s->may, 1 };
    s->sources[0].only = (struct matchers){ &s->only, 1 };
    s->source_list[0] = &s->sources[0];
    s->source_list[1] = &s->sources[1];
    s->shadow = engine_made();
    s->told = told_new();
    s->d = DECISION_INIT;
    policy_draw(s, &s->chance);
    start(s);
    event_add(s, s->now_ms + MINUTE_MS, EVENT_TELL, 0, NULL);
    event_add(s, s->now_ms + 25 * MINUTE_MS, EVENT_CRASH, 0, NULL);
    event_add(s, s->now_ms + 15 * MINUTE_MS, EVENT_CRASH, 1, NULL);
    event_add(s, s->now_ms + 35 * MINUTE_MS, EVENT_POLICY, 0, NULL);
    event_add(s, s->now_ms + 30 * MINUTE_MS, EVENT_PAUSE, 0, NULL);
    event_add(s, s->now_ms + 33 * MINUTE_MS, EVENT_CLOCK, 1, NULL);
    event_add(s, s->now_ms + 23 * MINUTE_MS, EVENT_DISK, 0, NULL);
    event_add(s, s->now_ms + 26 * MINUTE_MS, EVENT_GAP, 0, NULL);
    event_add(s, s->now_ms + 27 * MINUTE_MS, EVENT_TOKEN, 0, NULL);
}

void heald_end(struct sim *s)
{
    while (s->accepted_len)
        alert_release(&s->accepted[--s->accepted_len].alert);
    drop_effects(s);
    decision_release(&s->d);
    s->clock = clock_free(s->clock);
    s->g = engine_free(s->g);
    s->shadow = engine_free(s->shadow);
    s->p = policy_free(s->p);
    s->model = model_free(s->model);
    s->told = told_free(s->told);
    json_writer_free(s->writer);
    matcher_release(&s->may);
    matcher_release(&s->only);
    buf_release(&s->blob);
    buf_release(&s->journal);
    buf_release(&s->digest);
    buf_release(&s->other);
    free(s->rows);
    free(s->accepted);
    free(s->pending);
}
