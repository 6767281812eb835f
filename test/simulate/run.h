/* test/simulate/run.h - many seeds on some processes, and what came of them. */
#ifndef TEST_SIMULATE_RUN_H
#define TEST_SIMULATE_RUN_H

#include "test/simulate/sim.h"

struct run {
    uint64_t incidents;  /* until so many ended */
    uint64_t first_seed; /* seeds count up from here */
    unsigned jobs;
    bool stop_at_failure, silent;
};
struct result {
    struct stats stats;
    uint64_t seeds, failed_seeds;
    bool died; /* a process ended by itself: nothing else counts */
    double seconds;
};

/* Worlds until so many incidents ended, or one failed. The stats' first failure is that of the lowest seed
 * that failed. */
void run_seeds(const struct run *run, struct result *ret);

/* Seeds that failed once, one after the other; their figures are added. */
void run_kept(const struct run *run, struct result *ret);

/* The figures, each invariant and each piece of coverage as a test. `whole`: coverage counts. Returns false
 * when something failed. */
bool report(const struct run *run, const struct result *r, bool whole);

/* Choose a deliberate bug for this process. False: there is none of that name, or in this build. */
bool mutant_choose(const char *name);
/* Each of them, until it is found, or so many incidents ended: one test each, as a table. */
bool mutants_run(const struct run *run);

/* The seed's failure told with as little as it takes, as a timeline. */
void shrink(uint64_t seed);

#endif
