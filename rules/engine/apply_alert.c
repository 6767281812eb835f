/* Alerts folded into the state: which are known, in which state, and to which open incident they belong. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "rules/engine/state.h"

static void forget_alert(struct engine *g, struct known_alert *a)
{
    HASH_DEL(g->alerts, a);
    DL_DELETE(g->loose, a);
    free(a);
}

struct known_alert *alert_new(struct engine *g, const struct buf *key)
{
    while (g->loose && HASH_COUNT(g->alerts) >= ENGINE_ALERTS_MAX)
        forget_alert(g, g->loose);
    struct known_alert *a = key->len < UINT32_MAX ? malloc(sizeof *a + key->len) : NULL;
    if (!a)
        return NULL;
    memset(a, 0, sizeof *a);
    memcpy(a->key, buf_text(key), key->len);
    a->key_len = (uint32_t)key->len;
    a->status = ALERT_RESOLVED;
    HASH_ADD_KEYPTR(hh, g->alerts, a->key, a->key_len, a);
    if (a->lost) {
        free(a);
        return NULL;
    }
    DL_APPEND(g->loose, a);
    return a;
}

/* At the end of its list: changed last. */
static struct known_alert *know_alert(struct engine *g, const struct alert *alert)
{
    CLEANUP(buf_release) struct buf key = BUF_INIT;
    struct known_alert *a = (struct known_alert *)known_alert(g, alert, &key);
    if (!buf_ok(&key))
        return NULL;
    if (!a)
        return alert_new(g, &key);
    struct known_alert **list = a->of ? &a->of->attached : &g->loose;
    DL_DELETE(*list, a);
    DL_APPEND(*list, a);
    return a;
}

void alert_attach(struct engine *g, struct known_alert *a, struct incident *i)
{
    bool firing = a->status == ALERT_FIRING;
    if (a->of) {
        DL_DELETE(a->of->attached, a); /* NOLINT(clang-analyzer-core.NullDereference): it is in that list */
        a->of->firing -= firing;
    } else {
        DL_DELETE(g->loose, a);
    }
    DL_APPEND(i->attached, a);
    a->of = i;
    i->firing += firing;
}

void alerts_detach_all(struct engine *g, struct incident *i)
{
    struct known_alert *a, *next;
    DL_FOREACH_SAFE(i->attached, a, next)
    {
        DL_DELETE(i->attached, a);
        DL_APPEND(g->loose, a);
        a->of = NULL;
        a->ended_wall_ms = i->closed_wall_ms;
    }
    i->firing = 0;
}

static enum err_code attach_to(struct engine *g, struct known_alert *a, const char *id, struct err *e)
{
    struct incident *i = incident_find(g, id);
    if (!i || i->state == STATE_CLOSED)
        return err_set(e, ERR_INVALID, "an alert is attached to incident \"%s\", which is %s", id,
                       i ? "closed" : "not known");
    if (a->of != i) {
        alert_attach(g, a, i);
        i->alerts++;
    }
    return ERR_OK;
}

enum err_code apply_alert(struct engine *g, const struct fact *f, struct err *e)
{
    const struct alert *alert = &f->u.alert.alert;
    g->opening = NULL;
    map_release(&g->opening_annotations);
    struct known_alert *a = know_alert(g, alert);
    if (!a)
        return err_set(e, ERR_NOMEM, "no memory for an alert");
    if (a->of)
        a->of->firing = a->of->firing + (alert->status == ALERT_FIRING) - (a->status == ALERT_FIRING);
    a->status = alert->status;
    a->starts_ms = alert->starts_ms;
    a->disposition = f->u.alert.disposition;
    a->policy_seq = g->policy_seq;
    if (a->disposition == ALERT_ATTACHED)
        return attach_to(g, a, f->incident, e);
    if (a->disposition != ALERT_OPENED)
        return ERR_OK;
    if (a->of)
        return err_set(e, ERR_INVALID, "an alert opens incident \"%s\", but belongs to \"%s\"", f->incident,
                       a->of->id);
    g->opening = a; /* attached when the incident's own fact comes */
    memcpy(g->opening_id, f->incident, sizeof g->opening_id);
    return map_copy(&g->opening_annotations, &alert->annotations, e);
}
