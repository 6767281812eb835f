/* test/unit/projection_test.c - the tables beside the journal say what its facts say, and can be built anew.
 */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "receiver/journal/journal.h"
#include "receiver/journal/view.h"
#include "test/kit/tempdir.h"

#define OPENED                                                                                               \
    "{\"v\":1,\"rule\":\"crash\",\"source\":\"am\",\"starts_ms\":900,\"plan\":{\"name\":\"undo\",\"steps\":" \
    "[]}}"
#define RESOLVED                                                                                             \
    "{\"v\":1,\"cluster\":\"c\",\"namespace\":\"shop\",\"kind\":\"Deployment\",\"name\":\"web\","            \
    "\"environment\":\"prod\",\"mode\":\"act\",\"evidence\":{\"cause\":\"crash\"}}"
#define REFUSED                                                                                              \
    "{\"v\":1,\"step\":\"steps.0\",\"guard\":\"cooldown\",\"reason\":\"not yet\",\"scope\":\"later\"}"
#define ASKED                                                                                                \
    "{\"v\":1,\"step\":\"steps.0\",\"guard\":\"gate\",\"role\":\"sre\",\"wanted\":2,\"until_ms\":9000,"      \
    "\"hash\":\"h\",\"reason\":\"roll back?\"}"
#define YES "{\"v\":1,\"word\":\"approve\",\"who\":\"ann\",\"hash\":\"h\"}"
#define INTENT                                                                                               \
    "{\"v\":1,\"step\":\"steps.0\",\"attempt\":1,\"write\":1,\"action\":\"rollback\",\"environment\":"       \
    "\"prod\"}"
#define WRITTEN                                                                                              \
    "{\"v\":1,\"step\":\"steps.0\",\"action\":\"rollback\",\"attempt\":1,\"write\":1,\"state\":\"done\"}"
#define VERDICT "{\"v\":1,\"step\":\"steps.0\",\"action\":\"rollback\",\"attempt\":1,\"verdict\":\"fixed\"}"
#define CLOSED "{\"v\":1,\"outcome\":\"healed\",\"wall_ms\":5000,\"reason\":\"well again\"}"

struct world {
    struct tempdir dir;
    char file[400];
    struct journal *journal;
};

static void open_it(struct world *w)
{
    struct err e = ERR_INIT;
    cr_assert_eq(journal_open(&w->journal, w->file, NULL, &e), ERR_OK, "%s", e.msg);
}

static struct world make(void)
{
    struct world w = { .dir = tempdir_make() };
    snprintf(w.file, sizeof w.file, "%s/journal.db", w.dir.path);
    open_it(&w);
    return w;
}

static void end(struct world *w)
{
    journal_close(w->journal);
    tempdir_end(&w->dir);
}

static void say(struct world *w, const char *kind, const char *incident, const char *text)
{
    struct err e = ERR_INIT;
    int64_t last = journal_last_seq(w->journal);
    struct journal_row row = { .seq = last + 1,
                               .at_ms = 1000 + last,
                               .kind = kind,
                               .incident = incident,
                               .text = text,
                               .len = strlen(text) };
    cr_assert_eq(journal_append(w->journal, 1, last, &row, 1, &e), APPEND_OK, "%s", e.msg);
}

/* Every row of a query as one text. */
static char *dump(struct world *w, const char *sql)
{
    struct view *v = NULL;
    struct json_writer *j = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(view_new(&v, w->file, &e), ERR_OK);
    cr_assert_eq(json_writer_new(&j, &e), ERR_OK);
    cr_assert_eq(view_begin(v, &e), ERR_OK, "%s", e.msg);
    jw_array(j);
    cr_assert_eq(view_rows(v, j, sql, NULL, NULL, &e), ERR_OK, "%s", e.msg);
    jw_array_end(j);
    view_end(v);
    char *text = strdup(jw_text(j, NULL));
    json_writer_free(j);
    view_free(v);
    return text;
}

static void expect(struct world *w, const char *sql, const char *wanted)
{
    char *text = dump(w, sql);
    cr_assert_str_eq(text, wanted);
    free(text);
}

static void whole_story(struct world *w, const char *incident)
{
    say(w, "incident_opened", incident, OPENED);
    say(w, "resolved", incident, RESOLVED);
    say(w, "alert", incident, "{\"v\":1,\"disposition\":\"attached\"}");
    say(w, "refused", incident, REFUSED);
    say(w, "asked", incident, ASKED);
    say(w, "word", incident, YES);
    say(w, "word", incident, YES);
    say(w, "intent", incident, INTENT);
    say(w, "written", incident, WRITTEN);
    say(w, "verdict", incident, VERDICT);
    say(w, "closed", incident, CLOSED);
}

Test(projection, an_incident_is_one_row_that_follows_its_facts)
{
    struct world w = make();
    whole_story(&w, "i1");
    expect(&w,
           "SELECT id, rule, plan, namespace, name, cause, state, outcome, reason, alerts, writes, refusals, "
           "closed_ms"
           " FROM incident",
           "[{\"id\":\"i1\",\"rule\":\"crash\",\"plan\":\"undo\",\"namespace\":\"shop\",\"name\":\"web\","
           "\"cause\":\"crash\",\"state\":\"closed\",\"outcome\":\"healed\",\"reason\":\"well "
           "again\",\"alerts\":2,"
           "\"writes\":1,\"refusals\":1,\"closed\":\"1970-01-01T00:00:05.000Z\"}]");
    expect(&w, "SELECT step, attempt, action, environment, state, verdict FROM step",
           "[{\"step\":\"steps.0\",\"attempt\":1,\"action\":\"rollback\",\"environment\":\"prod\",\"state\":"
           "\"done\","
           "\"verdict\":\"fixed\"}]");
    end(&w);
}

Test(projection, each_fact_moves_the_state)
{
    static const struct {
        const char *kind, *text, *state;
    } facts[] = {
        { "incident_opened", OPENED, "resolving" },
        { "resolved", RESOLVED, "deciding" },
        { "refused", REFUSED, "waiting" },
        { "asked", ASKED, "approval" },
        { "word", YES, "approval" }, /* two are wanted */
        { "word", YES, "deciding" },
        { "intent", INTENT, "acting" },
        { "written", WRITTEN, "verifying" },
        { "verdict", VERDICT, "deciding" },
        { "closed", CLOSED, "closed" },
    };
    struct world w = make();
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        char wanted[64];
        say(&w, facts[i].kind, "i1", facts[i].text);
        snprintf(wanted, sizeof wanted, "[{\"state\":\"%s\"}]", facts[i].state);
        expect(&w, "SELECT state FROM incident", wanted);
    }
    end(&w);
}

Test(projection, the_question_stands_there_while_it_is_asked)
{
    struct world w = make();
    say(&w, "incident_opened", "i1", OPENED);
    say(&w, "asked", "i1", ASKED);
    expect(&w, "SELECT asks, asks_role, asks_hash, approvals_wanted FROM incident",
           "[{\"asks\":\"roll back?\",\"asks_role\":\"sre\",\"asks_hash\":\"h\",\"approvals_wanted\":2}]");
    say(&w, "intent", "i1", INTENT);
    expect(&w, "SELECT asks, asks_hash FROM incident", "[{}]");
    end(&w);
}

#define EVERYTHING "SELECT * FROM incident", "SELECT * FROM step"
Test(projection, built_anew_it_is_the_same)
{
    static const char *const tables[] = { EVERYTHING };
    char *before[2];
    struct world w = make();
    whole_story(&w, "i1");
    say(&w, "incident_opened", "i2", OPENED);
    say(&w, "merged", "i2", "{\"v\":1,\"into\":\"i1\"}");
    for (size_t i = 0; i < 2; i++)
        before[i] = dump(&w, tables[i]);
    journal_close(w.journal);
    sqlite3 *db = NULL;
    cr_assert_eq(sqlite3_open(w.file, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "UPDATE meta SET value = 0 WHERE key = 'projection'; DELETE FROM incident",
                              NULL, NULL, NULL),
                 SQLITE_OK);
    sqlite3_close(db);
    open_it(&w);
    for (size_t i = 0; i < 2; i++) {
        expect(&w, tables[i], before[i]);
        free(before[i]);
    }
    end(&w);
}

Test(projection, what_another_release_appended_is_caught_up_with)
{
    struct world w = make();
    whole_story(&w, "i1");
    journal_close(w.journal);
    sqlite3 *db = NULL;
    cr_assert_eq(sqlite3_open(w.file, &db), SQLITE_OK);
    cr_assert_eq(
        sqlite3_exec(db,
                     "UPDATE incident SET state = 'acting', outcome = 'open', changed_seq = changed_seq - 1",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    open_it(&w);
    expect(&w, "SELECT state, outcome FROM incident", "[{\"state\":\"closed\",\"outcome\":\"healed\"}]");
    end(&w);
}

Test(projection, text_that_is_no_json_harms_nothing)
{
    struct world w = make();
    say(&w, "incident_opened", "i1", "what");
    say(&w, "closed", "i1", "{");
    say(&w, "intent", "nobody", INTENT);
    expect(&w, "SELECT id FROM incident", "[]");
    cr_assert_eq(journal_last_seq(w.journal), 3);
    end(&w);
}

/* ---- the view ---- */

Test(view, it_cannot_write)
{
    struct world w = make();
    struct view *v = NULL;
    struct err e = ERR_INIT;
    int64_t n = 0;
    say(&w, "incident_opened", "i1", OPENED);
    cr_assert_eq(view_new(&v, w.file, &e), ERR_OK);
    cr_assert_eq(view_begin(v, &e), ERR_OK);
    cr_assert_neq(view_number(v, "DELETE FROM incident RETURNING 1", NULL, 0, &n, &e), ERR_OK);
    view_end(v);
    view_free(v);
    end(&w);
}

Test(view, a_look_that_takes_too_long_is_ended, .timeout = 60)
{
    struct world w = make();
    struct view *v = NULL;
    struct err e = ERR_INIT;
    int64_t n = 0;
    cr_assert_eq(view_new(&v, w.file, &e), ERR_OK);
    cr_assert_eq(view_begin(v, &e), ERR_OK);
    cr_assert_eq(
        view_number(v, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c",
                    NULL, 0, &n, &e),
        ERR_UNAVAILABLE);
    cr_assert_not_null(strstr(e.msg, "took longer"), "%s", e.msg);
    view_end(v);
    cr_assert_eq(view_begin(v, &e), ERR_OK, "it can be used again");
    cr_assert_eq(view_number(v, "SELECT 7", NULL, 0, &n, &e), ERR_OK);
    cr_assert_eq(n, 7);
    view_end(v);
    view_free(v);
    end(&w);
}

Test(view, a_journal_that_is_not_there_is_an_error_and_not_made)
{
    struct tempdir dir = tempdir_make();
    struct view *v = NULL;
    struct err e = ERR_INIT;
    char file[400];
    snprintf(file, sizeof file, "%s/none.db", dir.path);
    cr_assert_eq(view_new(&v, file, &e), ERR_OK);
    cr_assert_eq(view_begin(v, &e), ERR_UNAVAILABLE);
    view_end(v);
    cr_assert_neq(access(file, F_OK), 0);
    view_free(v);
    tempdir_end(&dir);
}

Test(view, its_number_changes_with_a_commit)
{
    struct world w = make();
    struct view *v = NULL;
    struct err e = ERR_INIT;
    int64_t a = 0, b = 0, c = 0;
    cr_assert_eq(view_new(&v, w.file, &e), ERR_OK);
    cr_assert_eq(view_version(v, &a, &e), ERR_OK);
    cr_assert_eq(view_version(v, &b, &e), ERR_OK);
    say(&w, "incident_opened", "i1", OPENED);
    cr_assert_eq(view_version(v, &c, &e), ERR_OK);
    cr_assert_eq(a, b);
    cr_assert_neq(b, c);
    view_free(v);
    end(&w);
}
