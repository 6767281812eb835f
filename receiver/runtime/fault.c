/* receiver/runtime/fault.c */
#include "receiver/runtime/fault.h"

#include <stddef.h>

const char *const fault_points[] = {
    "alert-committed", "observe-started",     "intent-committed",  "write-sent",
    "answer-read",     "result-committed",    "verdict-committed", "closed-committed",
    "annotation-sent", "annotation-answered", "told-committed",    NULL,
};

#ifdef HEALD_FAULT_POINTS

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULTS_MAX 16

/* State of a test build only: a released heald has none of this. */
struct fault {
    bool kill;
    char name[48];
    unsigned long from, times; /* the from-th coming-by is the first that counts; times 0: for ever */
    unsigned long seen;
};
static struct fault faults[FAULTS_MAX];
static size_t faults_len;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* A fault that is misspelled would make a test pass for nothing: refuse to run. */
static void refuse(const char *spec, const char *why)
{
    fprintf(stderr, "heald: HEALD_FAULT: \"%s\": %s; write kill:POINT[:N] or fail:NAME[:N[+TIMES|+]]\n", spec,
            why);
    _exit(2);
}

static bool known_point(const char *name)
{
    for (const char *const *p = fault_points; *p; p++)
        if (!strcmp(*p, name))
            return true;
    return false;
}

static void parse_count(struct fault *f, char *text, const char *spec)
{
    char *end = text;
    f->from = strtoul(text, &end, 10);
    if (end == text || f->from == 0)
        refuse(spec, "the count is not a number from 1 on");
    if (*end == '+' && !f->kill) {
        text = end + 1;
        f->times = strtoul(text, &end, 10);
    }
    if (*end)
        refuse(spec, "something follows the count");
}

static void parse_one(char *spec)
{
    char whole[96];
    snprintf(whole, sizeof whole, "%s", spec);
    if (faults_len == FAULTS_MAX)
        refuse(whole, "too many faults");
    struct fault *f = &faults[faults_len++];
    char *save = NULL, *verb = strtok_r(spec, ":", &save), *name = strtok_r(NULL, ":", &save),
         *count = strtok_r(NULL, ":", &save);
    if (!verb || !name || (strcmp(verb, "kill") != 0 && strcmp(verb, "fail") != 0))
        refuse(whole, "neither kill:... nor fail:...");
    f->kill = !strcmp(verb, "kill");
    if (f->kill && !known_point(name))
        refuse(whole, "no such point");
    snprintf(f->name, sizeof f->name, "%s", name);
    f->from = f->times = 1;
    if (count)
        parse_count(f, count, whole);
}

static void parse_all(void)
{
    const char *env = getenv("HEALD_FAULT");
    char text[1024], *save = NULL;
    if (!env)
        return;
    snprintf(text, sizeof text, "%s", env);
    for (char *spec = strtok_r(text, ",", &save); spec; spec = strtok_r(NULL, ",", &save))
        parse_one(spec);
}

static bool comes_by(const char *name, bool kill)
{
    pthread_once(&once, parse_all);
    bool hit = false;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < faults_len; i++) {
        struct fault *f = &faults[i];
        if (f->kill != kill || strcmp(f->name, name) != 0)
            continue;
        f->seen++;
        hit |= f->seen >= f->from && (f->times == 0 || f->seen < f->from + f->times);
    }
    pthread_mutex_unlock(&mutex);
    return hit;
}

void fault_point(const char *name)
{
    if (comes_by(name, true))
        kill(getpid(), SIGKILL);
}

bool fault_fails(const char *name)
{
    return comes_by(name, false);
}

#endif
