/* test/kit/fault.c */
#include "test/kit/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The linker sends calls of malloc() to __wrap_malloc() and calls of __real_malloc() to the allocator. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

enum kind { ANY, CALLOC, REALLOC };

/* What malloc() does cannot be passed as an argument. */
static _Thread_local enum kind watched;
static _Thread_local unsigned left; /* until the fault; 0 = off */
static _Thread_local bool hit;

static void arm(enum kind kind, unsigned n)
{
    watched = kind;
    left = n;
    hit = false;
}

void fault_malloc_at(unsigned n)
{
    arm(ANY, n);
}

void fault_calloc_at(unsigned n)
{
    arm(CALLOC, n);
}

void fault_realloc_at(unsigned n)
{
    arm(REALLOC, n);
}

bool fault_hit(void)
{
    bool was = hit;
    arm(ANY, 0);
    return was;
}

static bool fails(enum kind kind)
{
    if (left == 0 || (watched != ANY && watched != kind) || --left > 0)
        return false;
    hit = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails(ANY) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(CALLOC) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return fails(REALLOC) ? NULL : __real_realloc(ptr, size);
}

char *__wrap_strdup(const char *text)
{
    return fails(ANY) ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails(ANY) ? NULL : __real_strndup(text, len);
}
