/* Words of operators block until they are durable: they are handed to a thread of their own, with the
 * connection suspended. */
#include <stdlib.h>

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

static void say_word(struct request *r)
{
    struct err e = ERR_INIT;
    struct input in;
    int64_t for_ms = 0;
    char incident[INCIDENT_ID_SIZE] = "";
    word_of(r, &in, &for_ms);
    if (r->refusal.status)
        return;
    enum err_code code = loop_word(r->server->loop, &in, for_ms, incident, &e);
    if (code)
        refuse(r, status_of(code, true), "%s", e.msg);
    else if (incident[0])
        buf_addf(&r->result, "{\"incident\":\"%s\"}\n", incident);
    else
        buf_adds(&r->result, "{}\n");
}

static void carry_out(struct request *r)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    if (r->route->role != ROLE_ADMIN) {
        say_word(r);
        return;
    }
    enum err_code code = loop_reload(r->server->loop, &errors, &e);
    if (code)
        refuse(r, status_of(code, false), "%s%s%.250s", e.msg, errors.len ? ": " : "", buf_text(&errors));
    else
        buf_adds(&r->result, "{}\n");
}

void *operators_main(void *arg)
{
    struct server *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        struct request *r = s->head;
        if (!r) {
            if (s->stop)
                break;
            pthread_cond_wait(&s->wake, &s->lock);
            continue;
        }
        s->head = r->next;
        s->tail = s->head ? s->tail : NULL;
        pthread_mutex_unlock(&s->lock);
        carry_out(r);
        r->done = true;
        MHD_resume_connection(r->mhd);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

enum MHD_Result operator_answer(struct request *r)
{
    struct server *s = r->server;
    if (r->done)
        return answer_text(r, 200, "application/json", buf_text(&r->result), r->result.len);
    connection_phase(s, r->connection, PHASE_BUSY);
    pthread_mutex_lock(&s->lock);
    bool stopped = s->stop;
    if (!stopped) { /* else nobody would resume it */
        MHD_suspend_connection(r->mhd);
        r->next = NULL;
        if (s->tail)
            s->tail->next = r;
        else
            s->head = r;
        s->tail = r;
        pthread_cond_broadcast(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    return stopped ? answer_problem(r, 503, "heald is shutting down") : MHD_YES;
}
