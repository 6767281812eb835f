/* receiver/runtime/clock.c */
#include "receiver/runtime/clock.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#define SLEW_PER 100 /* at most one ms of correction per so many ms of running */

struct clock {
    pthread_mutex_t mutex;
    struct clock_sources sources;
    int64_t engine_ms; /* the last answer; never decreases */
    int64_t boot_ms;   /* when it was given */
    int64_t slew_rest; /* running ms not yet good for a whole ms of correction, < SLEW_PER */
    int64_t offset_ms; /* wall - boot at the start, or after the last jump */
    int64_t jumped_ms; /* to be recorded, when `jumped` */
    bool jumped;
    bool doubtful; /* set once at the start */
    int64_t doubtful_by_ms;
};

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t wall(const struct clock *c)
{
    return c->sources.wall_ms ? c->sources.wall_ms(c->sources.ctx) : read_clock(CLOCK_REALTIME);
}

static int64_t boot(const struct clock *c)
{
    return c->sources.boot_ms ? c->sources.boot_ms(c->sources.ctx) : read_clock(CLOCK_BOOTTIME);
}

static void look_for_jump(struct clock *c, int64_t wall_ms, int64_t boot_ms)
{
    int64_t by_ms = wall_ms - boot_ms - c->offset_ms;
    if (by_ms <= CLOCK_JUMP_MS && by_ms >= -CLOCK_JUMP_MS)
        return;
    c->jumped_ms = c->jumped ? c->jumped_ms + by_ms : by_ms; /* two before one is recorded are told as one */
    c->jumped = c->jumped_ms != 0;
    c->offset_ms += by_ms;
}

struct clock *clock_new(int64_t last_fact_ms, const struct clock_sources *sources)
{
    struct clock *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    if (sources)
        c->sources = *sources;
    pthread_mutex_init(&c->mutex, NULL);
    int64_t wall_ms = wall(c);
    c->boot_ms = boot(c);
    c->offset_ms = wall_ms - c->boot_ms;
    c->engine_ms = wall_ms > last_fact_ms ? wall_ms : last_fact_ms;
    int64_t by_ms = wall_ms - last_fact_ms;
    c->doubtful = last_fact_ms > 0 && (by_ms < -CLOCK_BEHIND_MAX_MS || by_ms > CLOCK_AHEAD_MAX_MS);
    c->doubtful_by_ms = c->doubtful ? by_ms : 0;
    c->jumped = by_ms < -CLOCK_START_BACK_MS; /* it went back while heald was away */
    c->jumped_ms = c->jumped ? by_ms : 0;
    return c;
}

struct clock *clock_free(struct clock *c)
{
    if (c)
        pthread_mutex_destroy(&c->mutex);
    free(c);
    return NULL;
}

int64_t clock_now_ms(struct clock *c)
{
    pthread_mutex_lock(&c->mutex);
    int64_t wall_ms = wall(c), boot_ms = boot(c);
    look_for_jump(c, wall_ms, boot_ms);
    int64_t ran_ms = boot_ms > c->boot_ms ? boot_ms - c->boot_ms : 0;
    int64_t slew_ms = (c->slew_rest + ran_ms) / SLEW_PER;
    c->slew_rest = (c->slew_rest + ran_ms) % SLEW_PER; /* slew_ms <= ran_ms: the sum never goes back */
    int64_t wrong_ms = wall_ms - (c->engine_ms + ran_ms);
    if (wrong_ms > slew_ms)
        wrong_ms = slew_ms;
    if (wrong_ms < -slew_ms)
        wrong_ms = -slew_ms;
    c->engine_ms += ran_ms + wrong_ms;
    if (boot_ms > c->boot_ms)
        c->boot_ms = boot_ms;
    int64_t now_ms = c->engine_ms;
    pthread_mutex_unlock(&c->mutex);
    return now_ms;
}

int64_t clock_wall_ms(struct clock *c)
{
    return wall(c);
}

bool clock_doubtful(const struct clock *c, int64_t *ret_by_ms)
{
    if (c->doubtful && ret_by_ms)
        *ret_by_ms = c->doubtful_by_ms;
    return c->doubtful;
}

bool clock_jumped(struct clock *c, int64_t *ret_by_ms)
{
    pthread_mutex_lock(&c->mutex);
    look_for_jump(c, wall(c), boot(c));
    bool jumped = c->jumped;
    if (jumped && ret_by_ms)
        *ret_by_ms = c->jumped_ms;
    pthread_mutex_unlock(&c->mutex);
    return jumped;
}

void clock_jump_recorded(struct clock *c, int64_t by_ms)
{
    pthread_mutex_lock(&c->mutex);
    c->jumped_ms -= by_ms;
    c->jumped = c->jumped && c->jumped_ms != 0; /* what came since is told next */
    pthread_mutex_unlock(&c->mutex);
}
