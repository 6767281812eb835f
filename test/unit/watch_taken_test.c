/* test/unit/watch_taken_test.c - what the watch says of a workload when it could not take in what it saw. */
#include "test/kit/fault.h"
#include "test/kit/watch_kit.h"

Test(watch, a_workload_whose_last_state_was_not_taken_in_is_not_well)
{
    struct fixture f;
    open_fixture(&f);
    list_web(&f);
    cr_assert_gt(well_since(&f), 0);
    put(&f, WATCH_DEPLOYMENT,
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"uid\":\"d1\",\"resourceVersion\":\"9\"}}");
    assert_not_well(&f, "could not take in");
    f.now_ms += 1000;
    put_pod(&f, pod_of("a", "rs1"));
    assert_not_well(&f, "could not take in");
    put_web(&f, WEB);
    cr_assert_eq(well_since(&f), f.now_ms, "well begins anew");
    close_fixture(&f);
}

Test(watch, a_pod_that_was_not_taken_in_keeps_its_workload_from_being_well_until_all_are_read_again)
{
    struct fixture f;
    CLEANUP(buf_release) struct buf pods = BUF_INIT;
    struct pod_text a = pod_of("a", "rs1"), b = pod_of("b", "rs1");
    open_fixture(&f);
    list_web(&f);
    put(&f, WATCH_POD,
        "{\"metadata\":{\"name\":\"c\",\"namespace\":\"shop\",\"ownerReferences\":[{\"apiVersion\":\"apps/"
        "v1\",\"kind\":"
        "\"ReplicaSet\",\"name\":\"x\",\"uid\":\"rs1\",\"controller\":true}]}}");
    assert_not_well(&f, "could not take in");
    put_web(&f, WEB);
    assert_not_well(&f, "could not take in");
    buf_addf(&pods, "%s,", pod(&a));
    buf_adds(&pods, pod(&b));
    lists_again(&f, WATCH_POD);
    f.now_ms += 1000;
    list(&f, WATCH_POD, buf_text(&pods));
    cr_assert_eq(well_since(&f), f.now_ms);
    close_fixture(&f);
}

Test(watch, without_memory_for_a_change_nothing_stale_stays_well)
{
    struct fixture f;
    struct deployment web = WEB;
    open_fixture(&f);
    list_web(&f);
    web.ready = 1; /* the change that must not get lost */
    unsigned n = 0, failed = 0;
    do {
        CLEANUP(json_freep) struct json_doc *doc = NULL;
        const char *text = deployment(&web);
        cr_assert_eq(json_parse(&doc, text, strlen(text), NULL), ERR_OK);
        fault_malloc_at(++n);
        failed += watch_table_put(f.table, 0, WATCH_DEPLOYMENT, json_root(doc), f.now_ms, NULL) != ERR_OK;
        bool hit = fault_hit();
        cr_assert_eq(well_since(&f), 0, "allocation %u", n);
        put_web(&f, WEB);
        cr_assert_gt(well_since(&f), 0, "%s", "it is taken in again");
        if (!hit)
            break;
    } while (true);
    cr_assert_gt(failed, 0);
    close_fixture(&f);
}

Test(watch, a_change_of_the_template_is_dated_and_begins_well_anew)
{
    struct fixture f;
    struct watch_workload first, w;
    struct deployment web = WEB;
    open_fixture(&f);
    list_web(&f);
    cr_assert(look(&f, &first));
    f.now_ms += 5000;
    web.image = "web:2"; /* the event that said "not complete" in between may be missing */
    put_web(&f, web);
    cr_assert(look(&f, &w));
    cr_assert_str_neq(w.template_hash, first.template_hash);
    cr_assert_eq(w.template_since_ms, f.now_ms);
    cr_assert_eq(w.well_since_ms, f.now_ms);
    f.now_ms += 5000;
    put_web(&f, WEB);
    cr_assert(look(&f, &w));
    cr_assert_str_eq(w.template_hash, first.template_hash);
    cr_assert_eq(w.template_since_ms, f.now_ms, "going back is a change too");
    close_fixture(&f);
}
