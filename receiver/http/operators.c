/* Words of operators block until they are durable: they are handed to a thread of their own, with the
 * connection suspended. */
#include <stdlib.h>
#include <string.h>

#include "receiver/http/http_internal.h"

static void take_result(struct request *r, enum err_code code, const struct err *e, const struct buf *errors)
{
    if (code == ERR_OK)
        return;
    unsigned status = code == ERR_UNAVAILABLE                        ? 503
                      : code == ERR_INVALID || code == ERR_NOT_FOUND ? 400
                                                                     : 500;
    refuse(r, status, "%s%s%.250s", e->msg, errors->len ? ": " : "", buf_text(errors));
}

static void reason_of(struct request *r, char *ret, size_t size)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    ret[0] = '\0';
    if (!r->body.len)
        return;
    if (json_parse(&doc, buf_text(&r->body), r->body.len, &e) != ERR_OK) {
        refuse(r, 400, "the body is not JSON as {\"reason\": \"...\"}: %s", e.msg);
        return;
    }
    text_copy(ret, size, json_string(json_get(json_root(doc), "reason"), ""));
}

static void carry_out(struct request *r)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    char reason[FACT_TEXT_SIZE];
    bool pause = strcmp(r->route->path, "/api/v1/pause") == 0;
    if (r->route->role == ROLE_ADMIN) {
        take_result(r, loop_reload(r->server->loop, &errors, &e), &e, &errors);
        return;
    }
    reason_of(r, reason, sizeof reason);
    if (pause && !reason[0])
        refuse(r, 400, "say why: {\"reason\": \"...\"}");
    if (!r->refusal.status)
        take_result(r, loop_pause(r->server->loop, pause, r->who, reason, &e), &e, &errors);
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
        return answer_text(r, 200, "application/json", "{}\n", 3);
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
