/* test/simulate/world.c - one seed, from its beginning to its end or to its first failure. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/simulate/sim.h"

void *sim_grow(void *array, size_t *cap, size_t len, size_t size)
{
    if (len < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 16;
    array = realloc(array, *cap * size);
    if (!array)
        abort();
    return array;
}

void say(const struct sim *s, const char *fmt, ...)
{
    if (!s->trace)
        return;
    int64_t ms = s->now_ms - SIM_START_MS;
    fprintf(s->trace, "  %3lld:%02lld:%02lld.%03lld  ", (long long)(ms / HOUR_MS),
            (long long)(ms / MINUTE_MS % 60), (long long)(ms / SECOND_MS % 60), (long long)(ms % 1000));
    va_list args;
    va_start(args, fmt);
    vfprintf(s->trace, fmt, args);
    va_end(args);
    fputc('\n', s->trace);
}

void count_name(struct counted *c, const char *name, uint64_t n)
{
    int k = 0;
    while (k < NAMES_MAX - 1 && c->names[k][0] && strncmp(c->names[k], name, sizeof c->names[k] - 1) != 0)
        k++;
    if (!c->names[k][0])
        text_copy(c->names[k], sizeof c->names[k], name);
    c->n[k] += n;
}

uint64_t counted_of(const struct counted *c, const char *name)
{
    for (int k = 0; k < NAMES_MAX && c->names[k][0]; k++)
        if (strcmp(c->names[k], name) == 0)
            return c->n[k];
    return 0;
}

/* The API server (index 0, 1) or Prometheus (2, 3) goes away, or what the brakes ask for (4, 5) holds,
 * or Alertmanager cannot be asked (6, 7); or no
 * more (odd). */
static void outage(struct sim *s, int index)
{
    static const char *const names[] = { "the API server", "Prometheus", "what would do without heald",
                                         "Alertmanager" };
    bool prometheus = index >= 2, ends = index % 2 == 1;
    bool *away = index >= 6   ? &s->alertmanager_away
                 : index >= 4 ? &s->braked
                 : prometheus ? &s->prometheus_away
                              : &s->api_away;
    struct chance c;
    if (ends) {
        *away = false;
    } else {
        bool happens = mishap(s, MISHAP_OUTAGE, &c);
        int64_t back_ms = s->now_ms + chance_in(&c, 5, 900) * SECOND_MS;
        if (s->quiet_ms)
            return;
        event_add(s, back_ms + chance_in(&c, 10, prometheus ? 40 : 180) * MINUTE_MS, EVENT_OUTAGE, index,
                  NULL);
        if (!happens)
            return;
        *away = true;
        event_add(s, back_ms, EVENT_OUTAGE, index + 1, NULL);
    }
    say(s, "%s %s", names[index / 2], ends ? "is back" : "is away");
}

static void dispatch(struct sim *s, const struct event *e)
{
    switch (e->kind) {
    case EVENT_OBJECT:
    case EVENT_FAULT:
    case EVENT_REPAIR:
    case EVENT_DEPLOY:
    case EVENT_SILENCE:
    case EVENT_WATCH:
        cluster_event(s, e);
        break;
    case EVENT_EVALUATE:
    case EVENT_DELIVER:
    case EVENT_STRANGE:
    case EVENT_FORGET:
        alerts_event(s, e);
        break;
    case EVENT_READ:
    case EVENT_SEND:
    case EVENT_LAND:
    case EVENT_ANSWER:
        api_event(s, e);
        break;
    case EVENT_WORD:
    case EVENT_PAUSE:
    case EVENT_RESUME:
    case EVENT_POLICY:
        people_event(s, e);
        break;
    case EVENT_OUTAGE:
        outage(s, e->index);
        break;
    default:
        heald_event(s, e);
        break;
    }
}

static bool over(const struct sim *s)
{
    if (s->failed)
        return true;
    if (!s->quiet_ms)
        return false;
    return (s->up && engine_open_incidents(s->g) == 0 && alerts_over(s) &&
            s->now_ms > s->quiet_ms + HOUR_MS) ||
           s->now_ms > s->quiet_ms + ENDS_MS;
}

static void step(struct sim *s)
{
    int64_t timer_ms = heald_next_ms(s);
    if (timer_ms <= s->events[0].at_ms) {
        s->now_ms = timer_ms;
        heald_timer(s);
    } else {
        struct event e = event_take(s);
        s->now_ms = e.at_ms;
        dispatch(s, &e);
    }
    heald_commit(s);
    check_turn(s);
    if (s->faults_left <= 0 && !s->quiet_ms) {
        s->quiet_ms = s->now_ms;
        say(s, "the last mishap is over");
    }
}

static void begin(struct sim *s)
{
    struct chance seed = { s->story.seed };
    s->chance.state = chance_next(&seed);
    s->heald_chance.state = chance_next(&seed);
    for (int k = 0; k < OBJECTS; k++)
        s->objects[k].chance.state = chance_next(&seed);
    for (int k = 0; k < SERIES; k++)
        s->series[k].chance.state = chance_next(&seed);
    s->now_ms = SIM_START_MS;
    s->faults_left = (int)chance_in(&s->chance, 10, 60);
    s->storms = chance_one_in(&s->chance, 4);
    s->prometheus = !chance_one_in(&s->chance, 4);
    s->alertmanager = chance_one_in(&s->chance, 2);
    say(s, "seed %llu, %s", (unsigned long long)s->story.seed,
        s->prometheus ? "with Prometheus" : "without Prometheus");
    cluster_begin(s);
    heald_begin(s);
    alerts_begin(s);
    event_add(s, s->now_ms + 20 * MINUTE_MS, EVENT_WORD, 0, NULL);
    event_add(s, s->now_ms + chance_in(&s->chance, 21, 200) * MINUTE_MS, EVENT_OUTAGE, 0, NULL);
    event_add(s, s->now_ms + chance_in(&s->chance, 21, 200) * MINUTE_MS, EVENT_OUTAGE, 2, NULL);
    event_add(s, s->now_ms + chance_in(&s->chance, 21, 100) * MINUTE_MS, EVENT_OUTAGE, 4, NULL);
    event_add(s, s->now_ms + 50 * MINUTE_MS, EVENT_OUTAGE, 6, NULL);
}

void world_run(const struct story *story, FILE *trace, struct stats *ret, struct story *ret_due)
{
    struct sim *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    memset(ret, 0, sizeof *ret);
    s->story = *story;
    s->trace = trace;
    s->stats = ret;
    s->due = ret_due;
    if (ret_due)
        memset(ret_due, 0, sizeof *ret_due);
    begin(s);
    heald_commit(s);
    while (!over(s))
        step(s);
    check_end(s);
    ret->hours = (uint64_t)((s->now_ms - SIM_START_MS) / HOUR_MS);
    heald_end(s);
    for (size_t k = 0; k < s->events_len; k++)
        job_free(s->events[k].job);
    free(s->events);
    free(s->landings);
    free(s->wishes);
    free(s);
}
