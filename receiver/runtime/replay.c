/* receiver/runtime/replay.c */
#include "receiver/runtime/replay.h"

#include <string.h>

#include "actions/catalogue.h"
#include "receiver/journal/keep.h"

struct replaying {
    struct engine *g;
    const struct replay_hooks *hooks;
    int64_t facts;
};

static enum err_code take_row(void *ctx, const struct journal_row *row, struct err *e)
{
    struct replaying *r = ctx;
    struct fact f;
    enum err_code code = fact_parse(&f, row->seq, row->at_ms, row->kind, row->incident, row->text, row->len,
                                    row->blob, row->blob_len, e);
    if (code)
        return code;
    code = engine_apply(r->g, &f, e);
    r->facts++;
    fact_release(&f);
    return code;
}

/* ---- marks ---- */

struct marks {
    struct snapshot_mark *list;
    size_t len;
};

static enum err_code take_mark(void *ctx, const struct journal_row *row, struct err *e)
{
    struct marks *m = ctx;
    struct fact f;
    enum err_code code =
        fact_parse(&f, row->seq, row->at_ms, row->kind, row->incident, row->text, row->len, NULL, 0, e);
    if (!code)
        m->list[m->len++] = f.u.snapshot;
    return code;
}

enum err_code replay_marks(struct journal *j, struct snapshot_mark ret[MARKS_MAX], size_t *ret_len,
                           struct err *e)
{
    struct marks m = { .list = ret };
    enum err_code code = journal_version(j) < 2 ? ERR_OK : keep_marks(j, MARKS_MAX, take_mark, &m, e);
    if (!code)
        *ret_len = m.len;
    return code;
}

/* ---- snapshot and facts ---- */

static enum err_code fresh(struct replaying *r, struct err *e)
{
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    r->g = engine_free(r->g);
    r->facts = 0;
    return engine_new(&r->g, specs, len, e);
}

static enum err_code from_snapshot(struct replaying *r, struct journal *j, const struct snapshot_mark *m,
                                   struct err *e)
{
    unsigned char link[CHAIN_SIZE];
    char text[CHAIN_TEXT_SIZE];
    int64_t rows = 0;
    enum err_code code = fresh(r, e);
    if (!code)
        code = keep_snapshot_read(j, m->of, take_row, r, &rows, link, e);
    if (code)
        return code;
    chain_text(link, text);
    if (rows != m->rows || strcmp(text, m->link) != 0 || engine_last_seq(r->g) != m->of)
        return err_set(e, ERR_INVALID, "the snapshot of fact %lld is not the one that the journal names",
                       (long long)m->of);
    r->facts = 0;
    return ERR_OK;
}

static enum err_code read_from(struct replaying *r, struct journal *j, const struct snapshot_mark *marks,
                               size_t len, int64_t *ret_snapshot, struct err *e)
{
    struct err why = ERR_INIT;
    for (size_t k = 0; k < len; k++) {
        enum err_code code = from_snapshot(r, j, &marks[k], &why);
        if (!code) {
            *ret_snapshot = marks[k].of;
            return journal_read(j, marks[k].of + 1, take_row, r, e);
        }
        if (code == ERR_NOMEM || code == ERR_VERSION)
            return err_set(e, code, "%s", why.msg);
        if (r->hooks->skipped)
            r->hooks->skipped(r->hooks->ctx, why.msg);
    }
    if (journal_first_seq(j) > 1)
        return err_set(e, ERR_INVALID,
                       "%s; the facts before %lld were removed, so that nothing can be made of the rest: "
                       "restore a backup",
                       why.msg[0] ? why.msg : "the journal names no snapshot",
                       (long long)journal_first_seq(j));
    *ret_snapshot = 0;
    enum err_code code = fresh(r, e);
    return code ? code : journal_read(j, 1, take_row, r, e);
}

enum err_code replay_journal(struct engine **ret, struct journal *j, const struct replay_hooks *hooks,
                             struct replayed *ret_how, struct err *e)
{
    struct snapshot_mark marks[MARKS_MAX];
    struct replaying r = { .hooks = hooks };
    size_t len = 0;
    int64_t snapshot = 0;
    enum err_code code = replay_marks(j, marks, &len, e);
    if (!code)
        code = read_from(&r, j, marks, len, &snapshot, e);
    if (code) {
        engine_free(r.g);
        return code;
    }
    *ret = r.g;
    *ret_how = (struct replayed){ .snapshot = snapshot, .facts = r.facts };
    return ERR_OK;
}
