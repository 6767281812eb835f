/* test/simulate/mutants.c - each deliberate bug, until an invariant says that something is wrong. */
#include <stdio.h>
#include <string.h>

#include "rules/base/mutant.h"
#include "test/simulate/run.h"

#ifdef HEALD_MUTANTS

#define MUTANT_LINE(name, help) { #name, help },
static const struct {
    const char *name, *help;
} mutants[] = { { "none", "" }, MUTANTS(MUTANT_LINE) };

bool mutant_choose(const char *name)
{
    for (int k = 0; k < MUTANTS_END_; k++)
        if (strcmp(mutants[k].name, name) == 0) {
            mutant_chosen = (enum mutant)k;
            return true;
        }
    return false;
}

bool mutants_run(const struct run *run)
{
    unsigned found = 0, lost = 0;
    printf("%-24s %8s %10s  %s\n", "mutant", "seed", "incidents", "what says so");
    for (int k = 1; k < MUTANTS_END_; k++) {
        struct run one = *run;
        struct result r;
        one.stop_at_failure = one.silent = true;
        mutant_chosen = (enum mutant)k;
        run_seeds(&one, &r);
        const struct stats *x = &r.stats;
        bool is_found = x->first_failure[0] != '\0';
        printf("%-24s %8llu %10llu  %s: %.120s\n", mutants[k].name,
               (unsigned long long)(is_found ? x->first_seed : 0), (unsigned long long)x->incidents,
               is_found ? check_name(x->first_check) : "NOT FOUND",
               is_found ? x->first_failure : mutants[k].help);
        if (!is_found)
            printf("FAILED  mutant %s was not found within %llu incidents\n", mutants[k].name,
                   (unsigned long long)run->incidents);
        found += is_found;
        lost += !is_found;
        fflush(stdout);
    }
    printf("%u passed, %u failed, 0 skipped\n", found, lost);
    return lost == 0;
}

#else

bool mutant_choose(const char *name)
{
    (void)name;
    return false;
}

bool mutants_run(const struct run *run)
{
    (void)run;
    printf(
        "SKIPPED mutants: this build has none; use the preset \"mutants\"\n0 passed, 0 failed, 1 skipped\n");
    return true;
}

#endif
