/* test/unit/file_stamp_test.c - files that change under their name. */
#include "receiver/runtime/file_stamp.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "rules/base/err.h"
#include "test/kit/tempdir.h"

static void put(const char *file, const char *text)
{
    FILE *f = fopen(file, "we");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

/* True when the second look says so, and never before or after it. */
static bool noticed(struct file_watch *w)
{
    bool early = file_watch_changed(w), now = file_watch_changed(w), late = file_watch_changed(w);
    return !early && now && !late;
}

Test(file_stamp, an_edit_in_place_and_a_rename_are_noticed_once)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "policy.cfg"), *other = tempdir_file(&t, "policy.cfg~");
    CLEANUP(file_watch_release) struct file_watch w = { .len = 0 };
    put(file, "one");
    cr_assert(file_watch_add(&w, file));
    cr_assert_not(file_watch_changed(&w));
    cr_assert_not(file_watch_changed(&w));
    put(file, "three");
    cr_assert(noticed(&w), "edited in place");
    put(other, "three"); /* the same size and text, another file */
    cr_assert_eq(rename(other, file), 0);
    cr_assert(noticed(&w), "renamed over it");
}

Test(file_stamp, a_link_that_is_swapped_on_the_way_is_noticed)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *link = tempdir_file(&t, "..data"), *next = tempdir_file(&t, "..data_tmp"),
               *file = tempdir_file(&t, "..data/policy.cfg");
    const char *first = tempdir_file(&t, "first"), *second = tempdir_file(&t, "second");
    CLEANUP(file_watch_release) struct file_watch w = { .len = 0 };
    cr_assert_eq(mkdir(first, 0700), 0);
    cr_assert_eq(mkdir(second, 0700), 0);
    put(tempdir_file(&t, "first/policy.cfg"), "one");
    put(tempdir_file(&t, "second/policy.cfg"), "one");
    cr_assert_eq(symlink("first", link), 0);
    cr_assert(file_watch_add(&w, file));
    cr_assert_eq(symlink("second", next), 0);
    cr_assert_eq(rename(next, link), 0); /* as the kubelet does with a ConfigMap */
    cr_assert(noticed(&w));
}

Test(file_stamp, a_file_that_is_still_being_written_waits)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "policy.cfg");
    CLEANUP(file_watch_release) struct file_watch w = { .len = 0 };
    put(file, "one");
    cr_assert(file_watch_add(&w, file));
    put(file, "half");
    cr_assert_not(file_watch_changed(&w));
    put(file, "half and half");
    cr_assert_not(file_watch_changed(&w), "it moved since the last look");
    cr_assert(file_watch_changed(&w));
}

Test(file_stamp, a_missing_file_is_no_change_and_its_return_is)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "policy.cfg");
    CLEANUP(file_watch_release) struct file_watch w = { .len = 0 };
    put(file, "one");
    cr_assert(file_watch_add(&w, file));
    cr_assert_eq(unlink(file), 0);
    cr_assert_not(file_watch_changed(&w));
    cr_assert_not(file_watch_changed(&w));
    put(file, "another");
    cr_assert(noticed(&w));
}

Test(file_stamp, of_several_files_each_counts_and_all_must_stand_still)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "policy.cfg"), *team = tempdir_file(&t, "team.cfg");
    CLEANUP(file_watch_release) struct file_watch w = { .len = 0 };
    put(file, "one");
    cr_assert(file_watch_add(&w, file));
    cr_assert(file_watch_add(&w, team), "one that is missing is waited for");
    cr_assert(file_watch_add(&w, file));
    cr_assert_eq(w.len, 2, "a file is watched once");
    put(team, "a");
    cr_assert(noticed(&w), "it has come");
    put(team, "ab");
    cr_assert_not(file_watch_changed(&w));
    put(file, "three");
    cr_assert_not(file_watch_changed(&w), "the other one moves");
    cr_assert(file_watch_changed(&w), "both at once");
    cr_assert_not(file_watch_changed(&w));
}
