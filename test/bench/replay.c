/* replay - how fast a start reads a journal: replay FILE FACTS
 *
 * Makes a journal of so many facts, as a core writes them that heals one workload after another (a restart
 * each, verified, told; alerts that repeat, alerts of no rule), and times: SQLite alone handing out the same
 * columns; the journal, which checks the hash chain too; the parsing of each text; applying it. The parts are
 * differences of whole runs. A journal that is there already is used again. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "receiver/journal/journal.h"
#include "test/kit/catalogue.h"
#include "test/kit/engine_kit.h"

#define BATCH 1000
#define ROUNDS 3

static void must(enum err_code code, const struct err *e)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "replay: %s\n", e->msg);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* one thread, all in memory: others do not count */
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- making it ---- */

struct maker {
    struct journal *j;
    struct journal_row rows[BATCH];
    size_t len;
    int64_t written;
};

static void flush(struct maker *m)
{
    struct err e = ERR_INIT;
    if (m->len && journal_append(m->j, 1, m->rows[0].seq - 1, m->rows, m->len, &e) != APPEND_OK)
        must(ERR_IO, &e);
    for (size_t n = 0; n < m->len; n++) {
        free((char *)m->rows[n].text);
        free((char *)m->rows[n].incident);
        free((char *)m->rows[n].blob);
    }
    m->len = 0;
}

static void keep(void *ctx, const struct fact *f, const char *text, size_t len, const struct buf *blob)
{
    struct maker *m = ctx;
    if (m->len == BATCH)
        flush(m);
    m->rows[m->len++] = (struct journal_row){ .seq = f->seq,
                                              .at_ms = f->at_ms,
                                              .kind = fact_kind_name(f->kind),
                                              .incident = strdup(f->incident),
                                              .text = strdup(text),
                                              .len = len,
                                              .blob = blob->len ? strdup(buf_text(blob)) : NULL,
                                              .blob_len = blob->len };
    m->written = f->seq;
}

static void tell(struct engine_kit *k)
{
    char id[1][INCIDENT_ID_SIZE];
    struct incident_view v;
    while (engine_untold(k->g, id, 1) && engine_incident(k->g, id[0], &v)) {
        struct input in = { .kind = INPUT_TOLD, .revision = v.revision, .annotation_id = 1000 };
        memcpy(in.incident, id[0], sizeof in.incident);
        kit_turn(k, in);
    }
}

/* 11 labels, as kube-prometheus' rules have them. */
static void labels_of(char *ret, size_t size, const char *alertname, int n)
{
    snprintf(ret, size,
             "alertname=%s,namespace=shop,deployment=web,pod=web-7d9f8b6c5-%05d,container=app,"
             "prometheus=monitoring/k8s,severity=warning,job=kube-state-metrics,instance=10.0.3.%d:8443,"
             "endpoint=https-main,uid=0b9b2d1c-%04x-4e0e-9a77-31e0f4c1d%03x",
             alertname, n % 100000, n % 250, n % 65536, n % 4096);
}

static void heal_one(struct engine_kit *k, int n)
{
    char labels[1024], other[1024];
    labels_of(labels, sizeof labels, "Crash", n % 20000);
    labels_of(other, sizeof other, "Nobody", n % 3000);
    kit_workload(k);
    k->seen.at_ms = k->seen.alert_evaluated_ms = k->wall_ms;
    k->seen.template_since_ms = k->wall_ms - 600000;
    k->seen.trouble_ms = k->seen.alert_active_ms = k->wall_ms - 20000;
    kit_alert(k, other, n % 2 ? ALERT_FIRING : ALERT_RESOLVED, k->wall_ms);
    kit_alert(k, labels, ALERT_FIRING, k->wall_ms - 10000);
    kit_observe(k, NULL);
    tell(k);
    if (kit_only(k)->state == STATE_ACTING) {
        kit_land(k, &kit_only(k)->intent);
        kit_acted(k, NULL, ACT_DONE);
        tell(k);
        kit_well(k, k->wall_ms);
    }
    for (int look = 0; look < 20 && engine_open_incidents(k->g); look++) {
        kit_wait(k, 61000);
        k->seen.at_ms = k->seen.alert_evaluated_ms = k->wall_ms;
        if (kit_only(k)->asked)
            kit_observe(k, NULL);
    }
    tell(k);
    kit_alert(k, labels, ALERT_RESOLVED, k->wall_ms - 70000);
    tell(k);
    kit_wait(k, 3 * 60 * 60000);
}

static void make(const char *file, int64_t facts)
{
    static struct engine_kit k;
    struct err e = ERR_INIT;
    struct maker *m = calloc(1, sizeof *m);
    bool created = false;
    if (!m)
        exit(1);
    must(journal_open(&m->j, file, &created, &e), &e);
    if (journal_last_seq(m->j) < facts) {
        if (!created)
            exit(1);
        engine_kit_open_with(&k,
                             KIT_POLICY(KIT_ACT " budget = ( { actions = 1000; per = '1d'; } );",
                                        "cooldown = '1s'; attempts = 'none';", KIT_RESTART),
                             keep, m);
        k.quick = true;
        for (int n = 0; m->written < facts; n++)
            heal_one(&k, n);
        flush(m);
        engine_kit_close(&k);
    }
    journal_close(m->j);
    free(m);
}

/* ---- reading it ---- */

static double scan(const char *file)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    int64_t bytes = 0;
    double began = now_s();
    if (sqlite3_open(file, &db) != SQLITE_OK ||
        sqlite3_prepare_v2(
            db,
            "SELECT fact.seq, at_ms, kind, incident, fact.body, chain, fact.blob, blob.body FROM "
            "fact LEFT JOIN blob ON blob.hash = fact.blob ORDER BY fact.seq",
            -1, &s, NULL) != SQLITE_OK)
        exit(1);
    while (sqlite3_step(s) == SQLITE_ROW)
        for (int c = 2; c < 8; c++)
            if (sqlite3_column_blob(s, c))
                bytes += sqlite3_column_bytes(s, c);
    sqlite3_finalize(s);
    sqlite3_close(db);
    if (bytes == 0)
        exit(1);
    return now_s() - began;
}

enum depth { READ_ONLY, PARSED, APPLIED };

struct run {
    enum depth depth;
    struct engine *g;
    int64_t facts, bytes;
};

static enum err_code take(void *ctx, const struct journal_row *row, struct err *e)
{
    struct run *r = ctx;
    struct fact f;
    r->facts++;
    r->bytes += (int64_t)(row->len + row->blob_len);
    if (r->depth == READ_ONLY)
        return ERR_OK;
    enum err_code code = fact_parse(&f, row->seq, row->at_ms, row->kind, row->incident, row->text, row->len,
                                    row->blob, row->blob_len, e);
    if (code == ERR_OK && r->depth == APPLIED)
        code = engine_apply(r->g, &f, e);
    if (code == ERR_OK || r->depth == PARSED)
        fact_release(&f);
    return code;
}

static double read_to(const char *file, struct run *r)
{
    struct err e = ERR_INIT;
    struct journal *j = NULL;
    must(journal_open(&j, file, NULL, &e), &e);
    must(engine_new(&r->g, kit_actions, KIT_ACTIONS_LEN, &e), &e);
    double began = now_s();
    must(journal_read(j, 1, take, r, &e), &e);
    double took = now_s() - began;
    r->g = engine_free(r->g);
    journal_close(j);
    return took;
}

static double least(double a, double b)
{
    return a > 0 && a < b ? a : b;
}

int main(int argc, char **argv)
{
    double scanned = 0, took[APPLIED + 1] = { 0 };
    struct run r = { 0 };
    if (argc != 3) {
        fprintf(stderr, "usage: replay FILE FACTS\n");
        return 2;
    }
    make(argv[1], atoll(argv[2]));
    for (int n = 0; n < ROUNDS; n++) {
        scanned = least(scanned, scan(argv[1]));
        for (enum depth d = READ_ONLY; d <= APPLIED; d++) {
            r = (struct run){ .depth = d };
            took[d] = least(took[d], read_to(argv[1], &r));
        }
    }
    double us = 1e6 / (double)r.facts;
    printf("replay %lld facts, %lld bytes each: %.3f s, %.2f us a fact, ratio %.2f to SQLite's scan of the "
           "same rows (%.3f s)\n",
           (long long)r.facts, (long long)(r.bytes / r.facts), took[APPLIED], took[APPLIED] * us,
           took[APPLIED] / scanned, scanned);
    printf("replay scan and chain %.2f us, parse %.2f us, apply %.2f us; of a million facts: %.2f s\n",
           took[READ_ONLY] * us, (took[PARSED] - took[READ_ONLY]) * us, (took[APPLIED] - took[PARSED]) * us,
           took[APPLIED] * us);
    return 0;
}
