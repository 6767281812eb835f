/* test/unit/clock_test.c - engine time under clocks that jump, drift and lie. */
#include "receiver/runtime/clock.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <time.h>

#include "rules/base/err.h"
#include "test/kit/fault.h"

#define START_MS 1787217300000ll
#define MINUTE_MS 60000ll
#define HOUR_MS (60 * MINUTE_MS)

struct fake {
    int64_t wall_ms, boot_ms;
};

static int64_t fake_wall(void *ctx)
{
    return ((struct fake *)ctx)->wall_ms;
}

static int64_t fake_boot(void *ctx)
{
    return ((struct fake *)ctx)->boot_ms;
}

static struct clock *make(struct fake *f, int64_t last_fact_ms)
{
    struct clock_sources sources = { fake_wall, fake_boot, f };
    struct clock *c = clock_new(last_fact_ms, &sources);
    cr_assert_not_null(c);
    return c;
}

static void clock_freep(struct clock **c)
{
    *c = clock_free(*c);
}

static void pass(struct fake *f, int64_t ms)
{
    f->wall_ms += ms;
    f->boot_ms += ms;
}

struct start_case {
    int64_t wall_from_fact_ms; /* wall clock at the start, less the last fact's time */
    int64_t engine_from_fact_ms;
    int doubtful, jumped;
};

ParameterizedTestParameters(clock, starts_at_the_later_of_wall_and_last_fact)
{
    static struct start_case cases[] = {
        { 0, 0, 0, 0 },
        { 5000, 5000, 0, 0 },
        { -5000, 0, 0, 0 },
        { -MINUTE_MS, 0, 0, 0 },
        { -MINUTE_MS - 1, 0, 0, 1 },
        { -5 * MINUTE_MS, 0, 0, 1 },
        { -5 * MINUTE_MS - 1, 0, 1, 1 },
        { -1000 * HOUR_MS, 0, 1, 1 },
        { 24 * HOUR_MS, 24 * HOUR_MS, 0, 0 },
        { 24 * HOUR_MS + 1, 24 * HOUR_MS + 1, 1, 0 },
    };
    return cr_make_param_array(struct start_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct start_case *k, clock, starts_at_the_later_of_wall_and_last_fact)
{
    struct fake f = { START_MS + k->wall_from_fact_ms, 777 };
    CLEANUP(clock_freep) struct clock *c = make(&f, START_MS);
    int64_t by_ms = 0, jump_ms = 0;
    cr_assert_eq(clock_now_ms(c), START_MS + k->engine_from_fact_ms);
    cr_assert_eq(clock_wall_ms(c), f.wall_ms);
    cr_assert_eq(clock_doubtful(c, &by_ms), k->doubtful);
    cr_assert_eq(by_ms, k->doubtful ? k->wall_from_fact_ms : 0);
    cr_assert_eq(clock_jumped(c, &jump_ms), k->jumped);
    cr_assert_eq(jump_ms, k->jumped ? k->wall_from_fact_ms : 0);
}

Test(clock, an_empty_journal_is_never_doubtful)
{
    struct fake f = { START_MS, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    cr_assert_not(clock_doubtful(c, NULL));
    cr_assert_eq(clock_now_ms(c), START_MS);
}

Test(clock, advances_with_the_boot_clock)
{
    struct fake f = { START_MS, 5000 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    for (int i = 1; i <= 1000; i++) {
        pass(&f, 7);
        cr_assert_eq(clock_now_ms(c), START_MS + 7 * i);
    }
}

Test(clock, a_wall_clock_set_back_slows_it_by_at_most_one_percent)
{
    struct fake f = { START_MS, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    f.wall_ms -= HOUR_MS;
    pass(&f, 10000);
    cr_assert_eq(clock_now_ms(c), START_MS + 9900);
}

Test(clock, a_wall_clock_set_forward_hurries_it_by_at_most_one_percent)
{
    struct fake f = { START_MS, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    f.wall_ms += HOUR_MS;
    pass(&f, 10000);
    cr_assert_eq(clock_now_ms(c), START_MS + 10100);
}

Test(clock, many_looks_slew_as_much_as_one)
{
    struct fake f = { START_MS, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    f.wall_ms += HOUR_MS;
    for (int i = 0; i < 10000; i++) {
        pass(&f, 1);
        clock_now_ms(c);
    }
    cr_assert_eq(clock_now_ms(c), START_MS + 10100);
}

Test(clock, comes_to_the_wall_clock_and_stays_there)
{
    struct fake f = { START_MS - 3000, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, START_MS);
    for (int i = 0; i < 400; i++) {
        pass(&f, 1000);
        clock_now_ms(c);
    }
    cr_assert_eq(clock_now_ms(c), f.wall_ms);
    cr_assert_not(clock_jumped(c, NULL));
}

Test(clock, a_jump_is_told_until_it_is_recorded)
{
    struct fake f = { START_MS, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    int64_t by_ms = 0;
    cr_assert_not(clock_jumped(c, &by_ms));
    f.wall_ms += CLOCK_JUMP_MS;
    cr_assert_not(clock_jumped(c, &by_ms), "one minute is no jump yet");
    f.wall_ms += 1;
    clock_now_ms(c);
    cr_assert(clock_jumped(c, &by_ms));
    cr_assert_eq(by_ms, CLOCK_JUMP_MS + 1);
    cr_assert(clock_jumped(c, &by_ms), "its commit may have failed");
    cr_assert_eq(by_ms, CLOCK_JUMP_MS + 1);
    clock_jump_recorded(c, by_ms);
    for (int i = 0; i < 10000; i++) { /* while it slews towards the new time */
        pass(&f, 1000);
        clock_now_ms(c);
        cr_assert_not(clock_jumped(c, &by_ms));
    }
    f.wall_ms -= 2 * HOUR_MS;
    cr_assert(clock_jumped(c, &by_ms));
    cr_assert_eq(by_ms, -2 * HOUR_MS);
}

Test(clock, small_steps_add_up_to_a_jump)
{
    struct fake f = { START_MS, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    int64_t by_ms = 0;
    for (int i = 0; i < 3; i++) {
        cr_assert_not(clock_jumped(c, &by_ms));
        f.wall_ms -= 900;
        clock_now_ms(c);
    }
    cr_assert(clock_jumped(c, &by_ms));
    cr_assert_eq(by_ms, -2700);
}

/* The wall clock shows 23:59:59 twice (Linux), and goes on. */
Test(clock, a_leap_second_is_no_jump_and_no_limit_notices)
{
    struct fake f = { START_MS, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    pass(&f, 10000);
    int64_t before = clock_now_ms(c), last = before;
    f.wall_ms -= 1000;
    for (int i = 0; i < 15 * 60; i++) {
        pass(&f, 1000);
        cr_assert_geq(clock_now_ms(c), last, "it never goes back");
        last = clock_now_ms(c);
    }
    cr_assert_not(clock_jumped(c, NULL));
    cr_assert_geq(last - before, 15 * MINUTE_MS - 1000, "15 min are 15 min, but for that second");
    cr_assert_leq(last - before, 15 * MINUTE_MS);
}

struct step_case {
    int64_t by_ms;
};

/* Limits (budgets, cooldowns, deadlines) are measured in engine time: 15 minutes stay 15 minutes, to 1 %. */
ParameterizedTestParameters(clock, a_step_neither_ends_a_limit_early_nor_late)
{
    static struct step_case cases[] = { { 2001 },  { 50000 },  { HOUR_MS },  { 8 * HOUR_MS },
                                        { -2001 }, { -50000 }, { -HOUR_MS }, { -8 * HOUR_MS } };
    return cr_make_param_array(struct step_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct step_case *k, clock, a_step_neither_ends_a_limit_early_nor_late)
{
    struct fake f = { START_MS, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    int64_t before = clock_now_ms(c), by_ms = 0;
    f.wall_ms += k->by_ms;
    for (int i = 0; i < 15 * 60; i++) {
        pass(&f, 1000);
        clock_now_ms(c);
    }
    int64_t took = clock_now_ms(c) - before;
    cr_assert_geq(took, 15 * MINUTE_MS * 99 / 100, "%lld ms", (long long)took);
    cr_assert_leq(took, 15 * MINUTE_MS * 101 / 100, "%lld ms", (long long)took);
    cr_assert(clock_jumped(c, &by_ms), "what is measured in wall time begins anew");
    cr_assert_eq(by_ms, k->by_ms);
}

/* Summer time changes what a wall clock shows, not the time: heald counts in UTC. */
Test(clock, summer_time_changes_nothing)
{
    setenv("TZ", "UTC0", 1);
    tzset();
    CLEANUP(clock_freep) struct clock *c = clock_new(0, NULL);
    int64_t engine_ms = clock_now_ms(c), wall_ms = clock_wall_ms(c);
    setenv("TZ", "CET-1CEST,0/0,365/23", 1); /* summer time all the year */
    tzset();
    cr_assert_lt(clock_now_ms(c) - engine_ms, HOUR_MS / 2);
    cr_assert_lt(clock_wall_ms(c) - wall_ms, HOUR_MS / 2);
    cr_assert_not(clock_jumped(c, NULL));
    unsetenv("TZ");
}

Test(clock, jumps_that_nobody_asked_for_are_told_as_one)
{
    struct fake f = { START_MS, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    int64_t by_ms = 0;
    f.wall_ms += 2 * HOUR_MS;
    clock_now_ms(c);
    f.wall_ms += HOUR_MS;
    clock_now_ms(c);
    cr_assert(clock_jumped(c, &by_ms));
    cr_assert_eq(by_ms, 3 * HOUR_MS);
}

Test(clock, a_jump_during_a_commit_is_told_next)
{
    struct fake f = { START_MS, 0 };
    CLEANUP(clock_freep) struct clock *c = make(&f, 0);
    int64_t by_ms = 0;
    f.wall_ms += 2 * HOUR_MS;
    cr_assert(clock_jumped(c, &by_ms));
    f.wall_ms += HOUR_MS;
    clock_now_ms(c);
    clock_jump_recorded(c, by_ms);
    cr_assert(clock_jumped(c, &by_ms));
    cr_assert_eq(by_ms, HOUR_MS);
    f.wall_ms -= HOUR_MS;
    cr_assert_not(clock_jumped(c, &by_ms), "there and back again");
}

/* Same seed, same run: whatever wall and boot clock do, engine time never goes back, and never runs off by
 * more than 1 %. */
Test(clock, never_goes_back)
{
    struct fake f = { START_MS, 1000000 };
    CLEANUP(clock_freep) struct clock *c = make(&f, START_MS + 12345);
    int64_t last = clock_now_ms(c);
    uint64_t seed = 42;
    for (int i = 0; i < 100000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int64_t ran = (int64_t)(seed >> 54); /* 0..1023 ms */
        int64_t lie = seed >> 20 & 63 ? 0 : (int64_t)(seed >> 32 & 0xffffff) - 0x800000;
        f.boot_ms += ran;
        f.wall_ms += ran + lie;
        if ((seed >> 40 & 1023) == 0)
            f.boot_ms -= 5; /* must not happen, must not hurt */
        int64_t now = clock_now_ms(c);
        cr_assert_geq(now, last, "step %d went back by %lld ms", i, (long long)(last - now));
        cr_assert_leq(now - last, ran + ran / 100 + 1, "step %d leapt", i);
        last = now;
    }
}

Test(clock, real_clocks_are_the_default)
{
    CLEANUP(clock_freep) struct clock *c = clock_new(0, NULL);
    int64_t a = clock_now_ms(c), b = clock_now_ms(c);
    cr_assert_gt(a, START_MS - 20ll * 365 * 24 * HOUR_MS);
    cr_assert_geq(b, a);
    cr_assert_not(clock_jumped(c, NULL));
}

Test(clock, new_reports_want_of_memory)
{
    fault_calloc_at(1);
    cr_assert_null(clock_new(0, NULL));
    cr_assert(fault_hit());
}
