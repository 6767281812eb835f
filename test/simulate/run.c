/* test/simulate/run.c - seeds are dealt out to processes; each sends back its figures through a pipe. */
#include "test/simulate/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 256
#define FAILURES_SHOWN 8

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void add_counted(struct counted *sum, const struct counted *c)
{
    for (int k = 0; k < NAMES_MAX && c->names[k][0]; k++)
        count_name(sum, c->names[k], c->n[k]);
}

static void add(struct stats *sum, const struct stats *x)
{
    for (int c = 0; c < CHECKS_; c++) {
        sum->seen[c] += x->seen[c];
        sum->failed[c] += x->failed[c];
    }
    add_counted(&sum->guards, &x->guards);
    add_counted(&sum->passed, &x->passed);
    add_counted(&sum->moves, &x->moves);
    add_counted(&sum->facts, &x->facts);
    add_counted(&sum->outcomes, &x->outcomes);
    add_counted(&sum->writes, &x->writes);
    add_counted(&sum->dispositions, &x->dispositions);
    add_counted(&sum->mishaps, &x->mishaps);
    add_counted(&sum->steps, &x->steps);
    add_counted(&sum->words, &x->words);
    sum->turns += x->turns;
    sum->lost_commits += x->lost_commits;
    sum->late += x->late;
    sum->landed += x->landed;
    sum->replayed += x->replayed;
    sum->alerts += x->alerts;
    sum->incidents += x->incidents;
    sum->hours += x->hours;
    if (x->first_failure[0] && (!sum->first_failure[0] || x->first_seed < sum->first_seed)) {
        sum->first_seed = x->first_seed;
        sum->first_check = x->first_check;
        memcpy(sum->first_failure, x->first_failure, sizeof sum->first_failure);
    }
}

static bool transfer(ssize_t (*call)(int, void *, size_t), int fd, void *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = call(fd, (char *)bytes + done, len - done);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static ssize_t write_some(int fd, void *bytes, size_t len)
{
    return write(fd, bytes, len);
}

static ssize_t read_some(int fd, void *bytes, size_t len)
{
    return read(fd, bytes, len);
}

/* Every `jobs`th seed, until nobody wants to know. */
static void work(const struct run *run, unsigned job, int fd)
{
    for (uint64_t seed = run->first_seed + job;; seed += run->jobs) {
        struct story story = { .seed = seed };
        struct stats x;
        world_run(&story, NULL, &x, NULL);
        x.first_seed = seed;
        if (!transfer(write_some, fd, &x, sizeof x))
            _exit(0);
    }
}

static pid_t begin(const struct run *run, unsigned job, int *ret_fd)
{
    int fds[2];
    if (pipe(fds) < 0) {
        perror("simulate: pipe");
        exit(2);
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        perror("simulate: fork");
        exit(2);
    }
    if (pid == 0) {
        close(fds[0]);
        work(run, job, fds[1]);
    }
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

static void take(const struct run *run, const struct stats *x, struct result *ret)
{
    struct stats one = *x;
    add(&ret->stats, &one);
    ret->seeds++;
    ret->failed_seeds += x->first_failure[0] != '\0';
    if (x->first_failure[0] && !run->silent && ret->failed_seeds <= FAILURES_SHOWN)
        printf("seed %llu: %s: %s\n", (unsigned long long)x->first_seed, check_name(x->first_check),
               x->first_failure);
}

void run_kept(const struct run *run, struct result *ret)
{
    static const uint64_t kept[] = {
        1902, 3104, 5965, 9804, /* a commit that failed took the jump of the clock with it */
    };
    for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++) {
        struct story story = { .seed = kept[k] };
        struct stats x;
        world_run(&story, NULL, &x, NULL);
        x.first_seed = kept[k];
        take(run, &x, ret);
    }
}

void run_seeds(const struct run *run, struct result *ret)
{
    pid_t pids[JOBS_MAX];
    int fds[JOBS_MAX];
    double began = seconds();
    bool done = false;
    memset(ret, 0, sizeof *ret);
    for (unsigned k = 0; k < run->jobs; k++)
        pids[k] = begin(run, k, &fds[k]);
    while (!done) /* in the order of seeds: what is counted does not depend on the number of processes */
        for (unsigned k = 0; k < run->jobs && !done; k++) {
            struct stats x;
            if (!transfer(read_some, fds[k], &x, sizeof x)) {
                printf("FAILED  a process ended early at a seed of %llu + n * %u\n",
                       (unsigned long long)(run->first_seed + k), run->jobs);
                ret->died = done = true;
                break;
            }
            take(run, &x, ret);
            done = ret->stats.incidents >= run->incidents || (run->stop_at_failure && ret->failed_seeds);
        }
    for (unsigned k = 0; k < run->jobs; k++) {
        close(fds[k]);
        kill(pids[k], SIGKILL);
        waitpid(pids[k], NULL, 0);
    }
    ret->seconds = seconds() - began;
}
