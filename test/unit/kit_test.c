/* test/unit/kit_test.c - the tools of the tests. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "test/kit/fault.h"

/* The compiler may not drop an allocation nobody looks at. */
static void *volatile sink;

static bool allocates(void)
{
    sink = malloc(10);
    void *got = sink;
    free(got);
    return got != NULL;
}

Test(fault, nothing_fails_unasked)
{
    for (int i = 0; i < 100; i++)
        cr_assert(allocates());
    cr_assert_not(fault_hit());
}

Test(fault, exactly_the_chosen_allocation_fails)
{
    for (unsigned n = 1; n < 5; n++) {
        fault_malloc_at(n);
        for (unsigned i = 1; i < 8; i++) {
            errno = 0;
            cr_assert_eq(allocates(), i != n, "allocation %u of %u", i, n);
            cr_assert_eq(errno, i == n ? ENOMEM : 0);
        }
        cr_assert(fault_hit());
        cr_assert_not(fault_hit(), "asking switches off");
    }
}

Test(fault, zero_and_asking_switch_off)
{
    fault_malloc_at(1);
    fault_malloc_at(0);
    cr_assert(allocates());
    fault_malloc_at(2);
    cr_assert(allocates());
    cr_assert_not(fault_hit(), "the second one did not come");
    cr_assert(allocates());
    cr_assert_not(fault_hit());
}

Test(fault, every_way_to_allocate_is_watched)
{
    fault_malloc_at(1);
    cr_assert_null((sink = calloc(1, 1)));
    fault_malloc_at(1);
    cr_assert_null((sink = strdup("a")));
    fault_malloc_at(1);
    cr_assert_null((sink = strndup("abc", 2)));
    sink = malloc(8);
    memcpy(sink, "kept", 5);
    fault_malloc_at(1);
    cr_assert_null(realloc(sink, 1000));
    cr_assert_str_eq((char *)sink, "kept", "a failed realloc leaves the old memory");
    free(sink);
}

Test(fault, calloc_and_realloc_can_be_chosen_alone)
{
    fault_calloc_at(1);
    cr_assert(allocates());
    cr_assert_null((sink = calloc(1, 1)));
    cr_assert(fault_hit());
    fault_realloc_at(1);
    cr_assert(allocates());
    sink = calloc(1, 1);
    cr_assert_not_null(sink);
    cr_assert_null(realloc(sink, 100));
    cr_assert(fault_hit());
    free(sink);
}

static void *other_thread(void *ctx)
{
    *(bool *)ctx = allocates();
    return NULL;
}

Test(fault, other_threads_are_left_alone)
{
    bool allocated = false;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    fault_malloc_at(1);
    cr_assert_eq(pthread_create(&thread, &attributes, other_thread, &allocated), 0);
    pthread_join(thread, NULL);
    cr_assert(allocated);
    cr_assert_not(fault_hit());
}
