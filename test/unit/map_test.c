/* test/unit/map_test.c - the sorted map. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/map.h"
#include "test/kit/fault.h"

Test(map, an_empty_map_has_nothing)
{
    CLEANUP(map_release) struct map m = MAP_INIT, other = MAP_INIT;
    cr_assert_null(map_get(&m, ""));
    cr_assert_null(map_get(&m, "a"));
    cr_assert_null(map_name_at(&m, 0));
    cr_assert_null(map_value_at(&m, 0));
    cr_assert(map_equal(&m, &other));
    map_clear(&m);
    cr_assert_eq(map_copy(&other, &m, NULL), ERR_OK);
    cr_assert_eq(other.len, 0);
}

Test(map, refuses_nul_bytes_and_names_the_name)
{
    CLEANUP(map_release) struct map m = MAP_INIT;
    struct err e = ERR_INIT;
    cr_assert_eq(map_set_len(&m, "a\0b", 3, "x", 1, true, &e), ERR_INVALID);
    cr_assert_eq(map_set_len(&m, "team", 4, "x\0y", 3, true, &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "'team'"), "%s", e.msg);
    cr_assert_eq(m.len, 0);
}

Test(map, refuses_a_second_value_unless_told_to_replace)
{
    CLEANUP(map_release) struct map m = MAP_INIT;
    struct err e = ERR_INIT;
    cr_assert_eq(map_set_len(&m, "severity", 8, "page", 4, false, &e), ERR_OK);
    cr_assert_eq(map_set_len(&m, "severity", 8, "info", 4, false, &e), ERR_CONFLICT);
    cr_assert_not_null(strstr(e.msg, "'severity'"), "%s", e.msg);
    cr_assert_str_eq(map_get(&m, "severity"), "page");
    cr_assert_eq(map_set_len(&m, "severity", 8, "info", 4, true, &e), ERR_OK);
    cr_assert_str_eq(map_get(&m, "severity"), "info");
    cr_assert_eq(m.len, 1);
}

Test(map, joins_names_and_values_in_their_order)
{
    CLEANUP(map_release) struct map m = MAP_INIT;
    char text[16];
    cr_assert_eq(map_joined(&m, '|', NULL), 0);
    cr_assert_eq(map_set(&m, "b", "", NULL), ERR_OK);
    cr_assert_eq(map_set(&m, "a", "xyz", NULL), ERR_OK);
    memset(text, '#', sizeof text);
    cr_assert_eq(map_joined(&m, '|', NULL), 9);
    cr_assert_eq(map_joined(&m, '|', text), 9);
    cr_assert_eq(memcmp(text, "a|xyz|b||#", 10), 0, "%.10s", text);
}

Test(map, names_are_sorted_bytewise_whatever_the_order_of_arrival)
{
    static const char *const names[] = { "b", "", "aa", "\xC3\xA4", "a", "B", "ab", "a\x01" };
    static const char *const sorted[] = { "", "B", "a", "a\x01", "aa", "ab", "b", "\xC3\xA4" };
    CLEANUP(map_release) struct map m = MAP_INIT, reverse = MAP_INIT;
    for (size_t i = 0; i < 8; i++) {
        cr_assert_eq(map_set(&m, names[i], names[i], NULL), ERR_OK);
        cr_assert_eq(map_set(&reverse, names[7 - i], names[7 - i], NULL), ERR_OK);
    }
    for (size_t i = 0; i < 8; i++) {
        cr_assert_str_eq(map_name_at(&m, i), sorted[i]);
        cr_assert_str_eq(map_value_at(&m, i), sorted[i]);
        cr_assert_str_eq(map_get(&m, sorted[i]), sorted[i]);
    }
    cr_assert_null(map_name_at(&m, 8));
    cr_assert_null(map_get(&m, "c"));
    cr_assert(map_equal(&m, &reverse));
}

Test(map, names_given_by_length_need_no_terminator)
{
    CLEANUP(map_release) struct map m = MAP_INIT;
    cr_assert_eq(map_set_len(&m, "namexx", 4, "valuexx", 5, false, NULL), ERR_OK);
    cr_assert_eq(map_set_len(&m, "n", 0, "v", 0, false, NULL), ERR_OK);
    cr_assert_str_eq(map_get(&m, "name"), "value");
    cr_assert_str_eq(map_get(&m, ""), "");
}

Test(map, equality_looks_at_names_and_values)
{
    CLEANUP(map_release) struct map a = MAP_INIT, b = MAP_INIT;
    map_set(&a, "x", "1", NULL);
    cr_assert_not(map_equal(&a, &b));
    map_set(&b, "x", "2", NULL);
    cr_assert_not(map_equal(&a, &b));
    map_set(&b, "x", "11", NULL);
    cr_assert_not(map_equal(&a, &b));
    map_set(&b, "x", "1", NULL);
    cr_assert(map_equal(&a, &b), "an old value leaves no trace");
    map_set(&a, "y", "1", NULL);
    map_set(&b, "z", "1", NULL);
    cr_assert_not(map_equal(&a, &b));
}

Test(map, replacing_takes_no_more_memory)
{
    CLEANUP(map_release) struct map m = MAP_INIT;
    map_set(&m, "before", "b", NULL);
    map_set(&m, "name", "0", NULL);
    map_set(&m, "tail", "t", NULL);
    for (int i = 0; i < 10000; i++) {
        char value[40];
        snprintf(value, sizeof value, "%0*d", i % 30 + 1, i);
        cr_assert_eq(map_set(&m, "name", value, NULL), ERR_OK);
        cr_assert_str_eq(map_get(&m, "name"), value);
    }
    cr_assert_str_eq(map_get(&m, "before"), "b");
    cr_assert_str_eq(map_get(&m, "tail"), "t");
    cr_assert_lt(m.text.cap, 200u);
}

Test(map, a_copy_is_independent_and_releases_what_was_there)
{
    CLEANUP(map_release) struct map a = MAP_INIT, b = MAP_INIT;
    map_set(&a, "x", "1", NULL);
    map_set(&b, "old", "value", NULL);
    cr_assert_eq(map_copy(&b, &a, NULL), ERR_OK);
    cr_assert(map_equal(&a, &b));
    map_set(&a, "x", "2", NULL);
    map_set(&b, "y", "3", NULL);
    cr_assert_str_eq(map_get(&b, "x"), "1");
    cr_assert_null(map_get(&a, "y"));
    cr_assert_eq(map_copy(&a, &a, NULL), ERR_OK);
    cr_assert_str_eq(map_get(&a, "x"), "2");
}

Test(map, clear_keeps_the_memory)
{
    CLEANUP(map_release) struct map m = MAP_INIT;
    map_set(&m, "x", "1", NULL);
    map_clear(&m);
    cr_assert_null(map_get(&m, "x"));
    fault_malloc_at(1);
    cr_assert_eq(map_set(&m, "y", "2", NULL), ERR_OK);
    cr_assert_not(fault_hit());
}

/* Fill a map, replace in it, copy it; any allocation may fail, and then nothing has changed. */
Test(map, a_failed_allocation_changes_nothing)
{
    unsigned n = 0, faults = 0;
    bool hit;
    do {
        CLEANUP(map_release) struct map m = MAP_INIT, copy = MAP_INIT;
        map_set(&copy, "old", "value", NULL);
        fault_malloc_at(++n);
        enum err_code code = ERR_OK;
        unsigned done = 0;
        char name[16];
        while (done < 40 && code == ERR_OK) {
            snprintf(name, sizeof name, "name%u", done % 20);
            code = map_set(&m, name, done < 20 ? "short" : "a value that is longer", NULL);
            done += code == ERR_OK;
        }
        enum err_code copied = code ? code : map_copy(&copy, &m, NULL);
        hit = fault_hit();
        cr_assert_eq(copied, hit ? ERR_NOMEM : ERR_OK, "allocation %u", n);
        cr_assert_eq(m.len, done < 20 ? done : 20);
        for (unsigned i = 0; i < done; i++) {
            snprintf(name, sizeof name, "name%u", i % 20);
            cr_assert_str_eq(map_get(&m, name),
                             i + 20 < done || i >= 20 ? "a value that is longer" : "short");
        }
        if (hit)
            cr_assert_str_eq(map_get(&copy, "old"), "value", "*ret must stay untouched on failure");
        faults += hit;
        if (code) /* and it can still be used */
            cr_assert_eq(map_set(&m, "after", "fault", NULL), ERR_OK);
    } while (hit);
    cr_assert_gt(faults, 5u);
}

/* Same seed, same run: against an array that is searched from the start. */
Test(map, agrees_with_a_naive_model)
{
    enum { NAMES = 200, STEPS = 20000 };
    static char model[NAMES][24];
    CLEANUP(map_release) struct map m = MAP_INIT;
    uint64_t seed = 42;
    uint32_t used = 0;
    for (int step = 0; step < STEPS; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned which = (unsigned)(seed >> 33) % NAMES;
        char name[16], value[24];
        snprintf(name, sizeof name, "n%u", which);
        snprintf(value, sizeof value, "%.*d", (int)(seed >> 60) + 1, step);
        used += model[which][0] == '\0';
        cr_assert_eq(map_set(&m, name, value, NULL), ERR_OK);
        memcpy(model[which], value, sizeof value);
        cr_assert_eq(m.len, used);
    }
    for (unsigned i = 0; i < NAMES; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        cr_assert_str_eq(map_get(&m, name), model[i]);
    }
    for (size_t i = 1; i < m.len; i++)
        cr_assert_lt(strcmp(map_name_at(&m, i - 1), map_name_at(&m, i)), 0);
}
