/* receiver/runtime/clock.h - engine time: ms since the epoch that never goes back.
 *
 * Starts at max(wall clock, last fact), advances by CLOCK_BOOTTIME, and is slewed to the wall clock by at
 * most 1 %; a jump of the wall clock of more than CLOCK_JUMP_MS against engine time is reported until
 * its fact is durable. If the wall clock at start is more than 5 minutes behind the last fact, or more than
 * 24 h ahead, the clock is `doubtful`: heald acts only after an operator's resume. Thread-safe. Time sources
 * can be given by tests. */
#ifndef RECEIVER_RUNTIME_CLOCK_H
#define RECEIVER_RUNTIME_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* A step of the wall clock while heald runs. A leap second (1 s) is none, slewing never is: it moves both
 * clocks alike. What is measured in wall time (holds, how long something was well) begins anew after one, so
 * that a step of 50 s cannot end a hold of a minute. */
#define CLOCK_JUMP_MS 2000
#define CLOCK_START_BACK_MS 60000 /* at the start: so far behind the last fact; less is what slewing left */
#define CLOCK_BEHIND_MAX_MS (5ll * 60 * 1000)
#define CLOCK_AHEAD_MAX_MS (24ll * 60 * 60 * 1000)

struct clock;
struct clock_sources { /* NULL functions: the real clocks */
    int64_t (*wall_ms)(void *ctx);
    int64_t (*boot_ms)(void *ctx);
    void *ctx;
};
struct clock *clock_new(int64_t last_fact_ms, const struct clock_sources *sources); /* NULL: no memory */
struct clock *clock_free(struct clock *c);
int64_t clock_now_ms(struct clock *c);  /* engine time */
int64_t clock_wall_ms(struct clock *c); /* only to show, and to compare with what others say */
bool clock_doubtful(const struct clock *c, int64_t *ret_by_ms);
/* True while there is a jump that was not recorded: a commit may fail, and its fact is lost with it. */
bool clock_jumped(struct clock *c, int64_t *ret_by_ms);
/* The fact of a jump by so much is durable. */
void clock_jump_recorded(struct clock *c, int64_t by_ms);

#endif
