/* Words of operators block until they are durable: a lane of their own carries them out. */
#include <string.h>

#include "receiver/http/http_internal.h"

static unsigned status_of(enum err_code code, bool word)
{
    switch (code) {
    case ERR_UNAVAILABLE:
        return 503;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_REFUSED:
        return 403;
    case ERR_INVALID: /* a policy that is wrong; a word that does not fit the incident as it is */
        return word ? 409 : 400;
    case ERR_LIMIT:
        return 409;
    default:
        return 500;
    }
}

/* An operator who is kept to namespaces speaks of what is there alone. */
static enum err_code may_say(struct http_lane *lane, const struct request *r, const struct input *in,
                             struct err *e)
{
    const struct config_strings *own = r->operator? &r->operator->namespaces : NULL;
    if (!own || !own->len)
        return ERR_OK;
    if (in->kind == INPUT_WORD) {
        enum err_code code = view_begin(lane->view, e);
        if (!code)
            code = api_may_see(lane, r, in->incident, e);
        view_end(lane->view);
        return code;
    }
    bool pause = in->kind == INPUT_PAUSE || in->kind == INPUT_RESUME;
    const char *namespace = pause ? in->scope == PAUSE_NAMESPACE ? in->name : "" : in->target.namespace;
    for (size_t i = 0; i < own->len; i++)
        if (strcmp(own->list[i], namespace) == 0)
            return ERR_OK;
    return err_set(e, ERR_REFUSED, "operator \"%s\" may speak for the namespaces of heald.cfg alone%s",
                   r->who, pause ? ": name one by \"namespace\"" : "");
}

void say_word(struct http_lane *lane, struct request *r)
{
    struct err e = ERR_INIT;
    struct input in;
    int64_t for_ms = 0;
    char incident[INCIDENT_ID_SIZE] = "";
    word_of(r, &in, &for_ms);
    if (r->refusal.status)
        return;
    enum err_code code = may_say(lane, r, &in, &e);
    if (!code)
        code = loop_word(r->server->loop, &in, for_ms, incident, &e);
    if (code)
        refuse(r, status_of(code, true), "%s", e.msg);
    else if (incident[0])
        buf_addf(&r->result, "{\"incident\":\"%s\"}\n", incident);
    else
        buf_adds(&r->result, "{}\n");
}

static void reload(struct request *r)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    enum err_code code = loop_reload(r->server->loop, &errors, &e);
    if (code)
        refuse(r, status_of(code, false), "%s%s%.250s", e.msg, errors.len ? ": " : "", buf_text(&errors));
    else
        buf_adds(&r->result, "{}\n");
}

static void finalize(struct request *r)
{
    struct err e = ERR_INIT;
    enum err_code code = loop_finalize(r->server->loop, r->who, &e);
    if (code)
        refuse(r, status_of(code, false), "%s", e.msg);
    else
        buf_adds(&r->result, "{}\n");
}

static void carry_out(struct http_lane *lane, struct request *r)
{
    if (idempotency_answered(r))
        return;
    if (strcmp(r->route->path, "/-/finalize-upgrade") == 0)
        finalize(r);
    else if (r->route->role == ROLE_ADMIN)
        reload(r);
    else
        say_word(lane, r);
    if (!r->refusal.status)
        idempotency_keep(r);
}

enum MHD_Result operator_answer(struct request *r)
{
    return lane_answer(r, LANE_WORDS, carry_out);
}
