/* test/unit/zone_file_test.c - time zone files, held against what libc makes of them. */
#include "receiver/runtime/zone_file.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct named {
    char name[32];
};

ParameterizedTestParameters(zone_file, says_what_libc_says)
{
    static struct named cases[] = {
        { "Europe/Berlin" },     { "America/New_York" }, { "Asia/Kolkata" },      { "Australia/Lord_Howe" },
        { "America/Sao_Paulo" }, { "Asia/Tehran" },      { "Africa/Casablanca" }, { "Europe/Dublin" },
        { "Pacific/Apia" },      { "Etc/GMT+5" },        { "America/Nuuk" },      { "Asia/Gaza" },
    };
    return cr_make_param_array(struct named, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct named *c, zone_file, says_what_libc_says)
{
    struct zone *z = NULL;
    struct err e = ERR_INIT;
    if (access(ZONE_FOLDER "/Europe/Berlin", R_OK) != 0)
        cr_skip_test("SKIPPED there is no time zone database in " ZONE_FOLDER);
    cr_assert_eq(zone_file_load(NULL, c->name, &z, &e), ERR_OK, "%s", e.msg);
    setenv("TZ", c->name, 1);
    tzset();
    /* every 7 h 13 min from 1970 to 2099: long after the last change that a file lists */
    for (int64_t t = 0; t < 4070908800ll; t += 25980) {
        time_t at = (time_t)t;
        struct tm tm;
        localtime_r(&at, &tm);
        cr_assert_eq(zone_offset_s(z, t), (int32_t)tm.tm_gmtoff, "%s at %lld: %d, libc says %ld", c->name,
                     (long long)t, zone_offset_s(z, t), tm.tm_gmtoff);
    }
    zone_free(z);
}

Test(zone_file, names_that_are_none_are_refused)
{
    static const char *const names[] = {
        "", "../../etc/passwd", "Europe/../Berlin", "/etc/localtime", "Europe/Berlin ", "Nowhere/Atall"
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct zone *z = NULL;
        cr_assert_eq(zone_file_load(NULL, names[i], &z, NULL), ERR_NOT_FOUND, "'%s'", names[i]);
        cr_assert_null(z);
    }
}

/* A file of version 2 with no changes but the rule at its end. */
static size_t make_file(unsigned char *ret, const char *rule)
{
    unsigned char header[44] = "TZif2";
    header[39] = 1; /* one type */
    header[43] = 4; /* "UTC" */
    const unsigned char block[10] = { 0, 0, 0, 0, 0, 0, 'U', 'T', 'C', 0 };
    memcpy(ret, header, 44);
    memcpy(ret + 44, block, 10);
    memcpy(ret + 54, header, 44);
    memcpy(ret + 98, block, 10);
    return 108 + (size_t)sprintf((char *)ret + 108, "\n%s\n", rule);
}

struct rule_case {
    char rule[48];
    int64_t at_s;
    int32_t offset_s; /* -1: refused */
};

ParameterizedTestParameters(zone_file, the_rule_at_the_end_is_followed)
{
    static struct rule_case cases[] = {
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1774745999, 3600 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, 7200 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1792890000, 3600 },
        { "<+0330>-3:30", 1774746000, 12600 },
        { "EST5EDT,J60,J300", 1772348399, -18000 }, /* 2026-03-01 02:00 EST */
        { "EST5EDT,J60,J300", 1772348400, -14400 },
        { "EST5EDT,59/2,300/2", 1772348400, -14400 },
        { "AEST-10AEDT,M10.1.0,M4.1.0/3", 1767225600, 39600 }, /* summer in January */
        { "", 1774746000, 0 },
        { "CET", 0, -1 },
        { "CET-1CEST", 0, -1 },
        { "CET-1CEST,M13.5.0,M10.5.0", 0, -1 },
        { "CET-1CEST,M3.5.0,M10.5.0,more", 0, -1 },
    };
    return cr_make_param_array(struct rule_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct rule_case *c, zone_file, the_rule_at_the_end_is_followed)
{
    unsigned char file[256];
    struct zone *z = NULL;
    struct err e = ERR_INIT;
    enum err_code code = zone_parse(&z, file, make_file(file, c->rule), &e);
    cr_assert_eq(code, c->offset_s == -1 ? ERR_INVALID : ERR_OK, "%s", e.msg);
    if (z)
        cr_assert_eq(zone_offset_s(z, c->at_s), c->offset_s);
    zone_free(z);
}

Test(zone_file, a_cut_or_changed_file_is_refused_or_read_never_more)
{
    unsigned char file[256], changed[256];
    size_t len = make_file(file, "CET-1CEST,M3.5.0,M10.5.0/3");
    for (size_t cut = 0; cut < len; cut++) {
        struct zone *z = NULL;
        cr_assert_eq(zone_parse(&z, file, cut, NULL), ERR_INVALID, "%zu of %zu bytes", cut, len);
    }
    for (size_t i = 0; i < len; i++) {
        struct zone *z = NULL;
        memcpy(changed, file, len);
        changed[i] ^= 0xFF;
        enum err_code code = zone_parse(&z, changed, len, NULL);
        cr_assert_eq(code == ERR_OK, z != NULL);
        zone_free(z);
    }
}
