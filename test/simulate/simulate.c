/* test/simulate/simulate.c - the deterministic simulator of the core.
 *
 *     simulate [--incidents N] [--seed S] [--jobs N] [--mutation NAME] [--only] [--trace] [--mutants]
 * [--part]
 *
 * Worlds with the seeds S, S+1, ... until N incidents have ended; --only: that one seed; --part: what never
 * happened does not count as failed. A seed that fails is shrunk and told as a timeline.
 * Exit: 0 all passed, 1 not, 2 wrong call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/simulate/run.h"

static uint64_t number(const char *option, const char *text)
{
    char *end = NULL;
    uint64_t n = text ? strtoull(text, &end, 10) : 0;
    if (!text || !*text || *end) {
        fprintf(stderr, "simulate: %s wants a number\n", option);
        exit(2);
    }
    return n;
}

static void usage(void)
{
    fprintf(stderr, "usage: simulate [--incidents N] [--seed S] [--jobs N] [--mutation NAME] [--only] "
                    "[--trace] [--mutants] [--part]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct run run = { .incidents = 10000, .first_seed = 1, .jobs = cores > 0 ? (unsigned)cores : 1 };
    bool only = false, trace = false, mutants = false, part = false;
    for (int k = 1; k < argc; k++) {
        const char *value = k + 1 < argc ? argv[k + 1] : NULL;
        if (strcmp(argv[k], "--only") == 0)
            only = true;
        else if (strcmp(argv[k], "--part") == 0)
            part = true;
        else if (strcmp(argv[k], "--trace") == 0)
            trace = only = true;
        else if (strcmp(argv[k], "--mutants") == 0)
            mutants = true;
        else if (strcmp(argv[k], "--mutation") == 0 && value && mutant_choose(value))
            k++;
        else if (strcmp(argv[k], "--incidents") == 0)
            run.incidents = number(argv[k++], value);
        else if (strcmp(argv[k], "--seed") == 0)
            run.first_seed = number(argv[k++], value);
        else if (strcmp(argv[k], "--jobs") == 0)
            run.jobs = (unsigned)number(argv[k++], value);
        else
            usage();
    }
    run.jobs = run.jobs < 1 ? 1 : run.jobs > 64 ? 64 : run.jobs;
    if (mutants)
        return mutants_run(&run) ? 0 : 1;
    struct result r = { .seeds = 0 };
    if (only) {
        struct story story = { .seed = run.first_seed };
        world_run(&story, trace ? stdout : NULL, &r.stats, NULL);
        r.seeds = 1;
    } else {
        run_seeds(&run, &r);
        if (!part)
            run_kept(&run, &r);
    }
    if (r.stats.first_failure[0] && !trace)
        shrink(r.stats.first_seed);
    bool ok = report(&run, &r, !only && !part);
    return ok ? 0 : 1;
}
