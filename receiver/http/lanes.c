/* Threads for what blocks: words until they are durable, and looks at the journal. A slow look holds up no
 * word. */
#include <stdlib.h>

#include "receiver/http/http_internal.h"

#define LANE_STACK_BYTES ((size_t)256 * 1024)

static struct request *take(struct http_lane *lane)
{
    struct request *r = lane->head;
    if (r) {
        lane->head = r->next;
        lane->tail = lane->head ? lane->tail : NULL;
    }
    return r;
}

static void *run(void *arg)
{
    struct http_lane *lane = arg;
    struct server *s = lane->server;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        struct request *r = take(lane);
        if (!r) {
            if (s->stop)
                break;
            pthread_cond_wait(&s->wake, &s->lock);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        r->carry(lane, r);
        r->done = true;
        MHD_resume_connection(r->mhd);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static bool start(struct http_lane *lane)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, LANE_STACK_BYTES);
    lane->started = pthread_create(&lane->thread, &small, run, lane) == 0;
    pthread_attr_destroy(&small);
    return lane->started;
}

enum err_code lanes_start(struct server *s, struct err *e)
{
    enum err_code code = ERR_OK;
    for (int i = 0; i < LANES && !code; i++) {
        struct http_lane *lane = &s->lanes[i];
        lane->server = s;
        code = view_new(&lane->view, s->settings->journal, e);
        if (!code)
            code = json_writer_new(&lane->writer, e);
    }
    for (int i = 0; i < LANES && !code; i++)
        if (!start(&s->lanes[i]))
            code = err_set(e, ERR_IO, "the listener's helper threads could not be started");
    return code;
}

void lanes_stop(struct server *s)
{
    for (int i = 0; i < LANES; i++) {
        if (s->lanes[i].started)
            pthread_join(s->lanes[i].thread, NULL);
        view_free(s->lanes[i].view);
        json_writer_free(s->lanes[i].writer);
        buf_release(&s->lanes[i].brief);
        s->lanes[i] = (struct http_lane){ .server = s };
    }
}

enum MHD_Result lane_answer(struct request *r, enum lane_name name,
                            void (*carry)(struct http_lane *lane, struct request *r))
{
    struct server *s = r->server;
    struct http_lane *lane = &s->lanes[name];
    if (r->done)
        return answer_result(r);
    connection_phase(s, r->connection, PHASE_BUSY);
    pthread_mutex_lock(&s->lock);
    bool stopped = s->stop;
    if (!stopped) { /* else nobody would resume it */
        MHD_suspend_connection(r->mhd);
        r->carry = carry;
        r->next = NULL;
        if (lane->tail)
            lane->tail->next = r;
        else
            lane->head = r;
        lane->tail = r;
        pthread_cond_broadcast(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    return stopped ? answer_problem(r, 503, "heald is shutting down") : MHD_YES;
}
