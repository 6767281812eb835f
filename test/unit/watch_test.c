/* test/unit/watch_test.c - what the watch knows of workloads and pods, and since when they are well. */
#include "test/kit/watch_kit.h"

/* ---- not watched ---- */

Test(watch, nothing_is_known_of_what_was_not_seen)
{
    struct fixture f;
    struct watch_workload w = { .watched = true };
    struct target owner;
    open_fixture(&f);
    list_nothing(&f);
    cr_assert_not(look(&f, &w));
    cr_assert_not(w.watched);
    cr_assert_not(watch_table_pod_owner(f.table, "shop", "a", &owner));
    close_fixture(&f);
}

Test(watch, nothing_is_well_before_every_stream_has_listed)
{
    struct fixture f;
    struct watch_workload w;
    struct watch_state state;
    struct deployment web = WEB;
    open_fixture(&f);
    list(&f, WATCH_DEPLOYMENT, deployment(&web));
    cr_assert(look(&f, &w));
    cr_assert_not(w.watched);
    assert_not_well(&f, "has not read everything");
    watch_table_state(f.table, f.now_ms, &state);
    cr_assert_not(state.synced);
    close_fixture(&f);
}

Test(watch, well_begins_when_it_is_seen_whatever_came_first)
{
    struct fixture f;
    struct watch_workload w;
    struct watch_state state;
    open_fixture(&f);
    list_web(&f);
    cr_assert(look(&f, &w));
    cr_assert(w.watched);
    cr_assert_eq(w.well_since_ms, f.now_ms, "%s", w.not_well);
    cr_assert_eq(w.template_since_ms, 0, "it stood there at first sight");
    cr_assert_str_eq(w.not_well, "");
    cr_assert_str_eq(w.target.uid, "d1");
    cr_assert_str_eq(w.target.cluster, "prod");
    cr_assert_eq(strlen(w.template_hash), 64);
    watch_table_state(f.table, f.now_ms, &state);
    cr_assert(state.synced);
    cr_assert_eq(state.workloads, 1);
    cr_assert_eq(state.pods, 2);
    close_fixture(&f);
}

/* ---- not well ---- */

static void web_is(struct fixture *f, struct deployment d, const char *why)
{
    put_web(f, d);
    assert_not_well(f, why);
    put_web(f, WEB);
    f->now_ms += 1000;
    put_web(f, WEB);
    cr_assert_eq(well_since(f), f->now_ms - 1000, "well begins anew after: %s", why);
}

Test(watch, a_workload_is_not_well_for_what_its_own_status_says)
{
    struct fixture f;
    struct deployment d;
    open_fixture(&f);
    list_web(&f);
    f.now_ms += 1000;
    d = WEB, d.generation = 2;
    web_is(&f, d, "has not seen the present spec");
    d = WEB, d.paused = true;
    web_is(&f, d, "paused");
    d = WEB, d.desired = 0;
    web_is(&f, d, "no replicas");
    d = WEB, d.updated = 1;
    web_is(&f, d, "1 of 2 pods have the present template");
    d = WEB, d.ready = 1;
    web_is(&f, d, "1 of 2 pods are ready");
    d = WEB, d.deleted = true;
    web_is(&f, d, "being deleted");
    d = WEB, d.desired = d.updated = d.ready = 3;
    web_is(&f, d, "2 of its 3 pods are to be seen");
    close_fixture(&f);
}

static void pod_is(struct fixture *f, struct pod_text p, const char *why)
{
    put_pod(f, p);
    assert_not_well(f, why);
    f->now_ms += 1000;
    put_pod(f, pod_of("a", "rs1"));
    cr_assert_eq(well_since(f), f->now_ms, "well begins anew after: %s", why);
}

Test(watch, a_workload_is_not_well_for_what_its_pods_say)
{
    struct fixture f;
    struct pod_text p;
    open_fixture(&f);
    list_web(&f);
    p = pod_of("a", "rs1"), p.unready = true;
    pod_is(&f, p, "pod \"a\" is not ready");
    p = pod_of("a", "rs1"), p.waiting = "CrashLoopBackOff";
    pod_is(&f, p, "container \"app\" waits in CrashLoopBackOff");
    p = pod_of("a", "rs1"), p.waiting = "SomethingNew";
    pod_is(&f, p, "waits in SomethingNew");
    p = pod_of("a", "rs1"), p.revision = "rs2";
    pod_is(&f, p, "more than one template revision");
    p = pod_of("a", "rs1"), p.deleted = true;
    pod_is(&f, p, "1 of its 2 pods");
    p = pod_of("a", "rs1"), p.phase = "Failed";
    pod_is(&f, p, "1 of its 2 pods");
    close_fixture(&f);
}

Test(watch, harmless_waiting_of_a_ready_pod_is_well)
{
    struct fixture f;
    struct pod_text p = pod_of("a", "rs1");
    open_fixture(&f);
    list_web(&f);
    p.waiting = "ContainerCreating";
    f.now_ms += 1000;
    put_pod(&f, p);
    cr_assert_eq(well_since(&f), f.now_ms - 1000);
    close_fixture(&f);
}

Test(watch, a_restart_begins_well_anew_however_short_it_was)
{
    struct fixture f;
    struct pod_text p = pod_of("a", "rs1");
    open_fixture(&f);
    list_web(&f);
    int64_t first_ms = f.now_ms;
    f.now_ms += 5000;
    put_pod(&f, p);
    cr_assert_eq(well_since(&f), first_ms, "the same again changes nothing");
    p.restarts = 1;
    put_pod(&f, p);
    cr_assert_eq(well_since(&f), f.now_ms);
    f.now_ms += 5000;
    put_pod(&f, p);
    cr_assert_eq(well_since(&f), f.now_ms - 5000, "told once");
    close_fixture(&f);
}

Test(watch, restarts_from_before_the_first_sight_do_not_count)
{
    struct fixture f;
    struct pod_text c = pod_of("c", "rs1");
    open_fixture(&f);
    list_web(&f);
    f.now_ms += 5000;
    c.restarts = 9;
    put_pod(&f, c);
    cr_assert_eq(well_since(&f), f.now_ms - 5000);
    c.uid = "another", c.restarts = 12;
    put_pod(&f, c);
    cr_assert_eq(well_since(&f), f.now_ms - 5000, "another pod under the same name begins its own count");
    close_fixture(&f);
}

/* ---- belonging ---- */

Test(watch, claims_that_no_controller_makes_are_not_believed)
{
    struct fixture f;
    struct target owner;
    struct pod_text p = pod_of("x", "rs1");
    open_fixture(&f);
    list_web(&f);
    p.namespace = "evil", p.unready = true;
    put_pod(&f, p); /* points at a ReplicaSet of another namespace */
    p = pod_of("y", "n1"), p.owner_kind = "Node", p.unready = true;
    put_pod(&f, p);
    put(&f, WATCH_REPLICASET, replicaset("rs8", "rs8"));
    put(&f, WATCH_REPLICASET, replicaset("rs8", "rs1"));
    put(&f, WATCH_REPLICASET, replicaset("d1", "rs1"));
    cr_assert_neq(well_since(&f), 0);
    cr_assert_not(watch_table_pod_owner(f.table, "evil", "x", &owner));
    cr_assert_not(watch_table_pod_owner(f.table, "shop", "y", &owner));
    cr_assert(watch_table_pod_owner(f.table, "shop", "a", &owner));
    cr_assert_str_eq(owner.name, "web");
    close_fixture(&f);
}

Test(watch, pods_find_their_workload_in_whatever_order_they_come)
{
    struct fixture f;
    struct target owner;
    struct deployment web = WEB;
    open_fixture(&f);
    list_nothing(&f);
    put_pod(&f, pod_of("a", "rs1"));
    put_pod(&f, pod_of("b", "rs1"));
    cr_assert_not(watch_table_pod_owner(f.table, "shop", "a", &owner));
    put_web(&f, web);
    assert_not_well(&f, "0 of its 2 pods");
    put(&f, WATCH_REPLICASET, replicaset("rs1", "d1"));
    cr_assert_eq(well_since(&f), f.now_ms);
    cr_assert(watch_table_pod_owner(f.table, "shop", "a", &owner));
    cr_assert_str_eq(owner.kind, "Deployment");
    cr_assert_str_eq(owner.namespace, "shop");
    cr_assert_str_eq(owner.name, "web");
    cr_assert_str_eq(owner.uid, "d1");
    close_fixture(&f);
}

Test(watch, deleted_pods_are_remembered_with_their_owner_up_to_a_number)
{
    struct fixture f;
    struct target owner = { .name = "" };
    char name[32];
    open_fixture(&f);
    list_web(&f);
    for (unsigned i = 0; i <= WATCH_GONE_MAX; i++) {
        struct pod_text p = pod_of("gone", "rs1");
        snprintf(name, sizeof name, "gone-%u", i);
        p.name = name;
        put_pod(&f, p);
        cr_assert(event(&f, WATCH_POD, "DELETED", pod(&p)));
    }
    cr_assert_not(watch_table_pod_owner(f.table, "shop", "gone-0", &owner), "the oldest is forgotten");
    cr_assert(watch_table_pod_owner(f.table, "shop", "gone-1", &owner));
    snprintf(name, sizeof name, "gone-%u", WATCH_GONE_MAX);
    cr_assert(watch_table_pod_owner(f.table, "shop", name, &owner));
    cr_assert_str_eq(owner.name, "web");
    cr_assert_str_eq(owner.uid, "d1");
    close_fixture(&f);
}

Test(watch, a_late_delete_of_an_older_object_is_not_of_the_present_one)
{
    struct fixture f;
    struct watch_workload w;
    struct deployment old = WEB;
    struct pod_text p = pod_of("a", "rs1");
    open_fixture(&f);
    list_web(&f);
    old.uid = "d0";
    p.uid = "older";
    cr_assert(event(&f, WATCH_DEPLOYMENT, "DELETED", deployment(&old)));
    cr_assert(event(&f, WATCH_POD, "DELETED", pod(&p)));
    cr_assert(look(&f, &w));
    cr_assert_neq(w.well_since_ms, 0, "%s", w.not_well);
    close_fixture(&f);
}

Test(watch, a_workload_made_anew_under_its_name_begins_from_nothing)
{
    struct fixture f;
    struct watch_workload w;
    struct deployment web = WEB;
    open_fixture(&f);
    list_web(&f);
    web.uid = "d2", web.image = "web:2";
    put_web(&f, web);
    assert_not_well(&f, "0 of its 2 pods");
    cr_assert(look(&f, &w));
    cr_assert_str_eq(w.target.uid, "d2");
    cr_assert_eq(w.template_since_ms, f.now_ms, "the watch saw it being made");
    cr_assert(event(&f, WATCH_DEPLOYMENT, "DELETED", deployment(&web)));
    cr_assert_not(look(&f, &w));
    close_fixture(&f);
}

/* ---- templates ---- */

static int64_t template_since(struct fixture *f)
{
    struct watch_workload w;
    cr_assert(look(f, &w));
    return w.template_since_ms;
}

Test(watch, what_is_made_after_the_first_list_is_dated_also_when_a_gap_hid_it)
{
    struct fixture f;
    struct deployment web = WEB;
    open_fixture(&f);
    list_nothing(&f);
    f.now_ms += 5000;
    cr_assert(event(&f, WATCH_DEPLOYMENT, "ADDED", deployment(&web)));
    cr_assert_eq(template_since(&f), f.now_ms);
    cr_assert(event(&f, WATCH_DEPLOYMENT, "DELETED", deployment(&web)));
    lists_again(&f, WATCH_DEPLOYMENT);
    f.now_ms += 5000;
    list(&f, WATCH_DEPLOYMENT, deployment(&web));
    cr_assert_eq(template_since(&f), f.now_ms);
    close_fixture(&f);
}

Test(watch, what_the_first_list_missed_may_be_old_and_is_not_dated)
{
    struct fixture f;
    struct deployment web = WEB;
    open_fixture(&f);
    for (size_t k = 1; k < WATCH_KINDS; k++)
        list(&f, (enum watch_kind)k, "");
    list(&f, WATCH_DEPLOYMENT, "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"}}");
    cr_assert_not_null(strstr(f.log, "without uid or resourceVersion"), "%s", f.log);
    f.now_ms += 5000;
    put_web(&f, web);
    cr_assert_eq(template_since(&f), 0);
    close_fixture(&f);
}

/* ---- gaps ---- */

Test(watch, a_list_after_a_gap_begins_well_anew_and_sees_what_is_gone)
{
    struct fixture f;
    struct target owner;
    struct watch_state state;
    struct pod_text b = pod_of("b", "rs1");
    open_fixture(&f);
    list_web(&f);
    f.now_ms += 5000;
    cr_assert_not(
        event(&f, WATCH_POD, "ERROR", "{\"kind\":\"Status\",\"code\":410,\"message\":\"too old\"}"));
    stream_ended(&f.streams[WATCH_POD], &(struct stream_end){ .status = 200, .why = "ended" }, 7, f.now_ms);
    assert_not_well(&f, "has not read everything");
    cr_assert_not(f.streams[WATCH_POD].watching);
    struct deployment one = WEB;
    one.desired = one.updated = one.ready = 1;
    put_web(&f, one);
    f.now_ms += 5000;
    list(&f, WATCH_POD, pod(&b));
    cr_assert_eq(well_since(&f), f.now_ms);
    cr_assert(watch_table_pod_owner(f.table, "shop", "a", &owner), "its end was in the gap");
    watch_table_state(f.table, f.now_ms, &state);
    cr_assert_eq(state.relists, 1);
    cr_assert_eq(state.pods, 1);
    close_fixture(&f);
}

Test(watch, replicasets_that_are_gone_after_a_gap_take_their_links_along)
{
    struct fixture f;
    open_fixture(&f);
    list_web(&f);
    for (int i = 0; i < 3; i++) {
        char uid[8];
        snprintf(uid, sizeof uid, "rs%d", i + 5);
        put(&f, WATCH_REPLICASET, replicaset(uid, i ? "d7" : "d1")); /* d7 is never seen */
    }
    struct stream *s = &f.streams[WATCH_REPLICASET];
    stream_ended(s, &(struct stream_end){ .whole = true, .status = 410 }, 7, f.now_ms);
    list(&f, WATCH_REPLICASET, replicaset("rs1", "d1"));
    cr_assert_eq(well_since(&f), f.now_ms);
    stream_ended(s, &(struct stream_end){ .whole = true, .status = 410 }, 7, f.now_ms);
    list(&f, WATCH_REPLICASET, "");
    cr_assert_eq(well_since(&f), f.now_ms, "a ReplicaSet with pods stays their link");
    close_fixture(&f);
}

Test(watch, a_stream_that_is_away_blinds_after_a_while)
{
    struct fixture f;
    struct watch_workload w;
    struct watch_state state;
    open_fixture(&f);
    list_web(&f);
    int64_t since_ms = well_since(&f);
    f.now_ms += 700000;
    cr_assert_eq(stream_ended(&f.streams[WATCH_POD], &(struct stream_end){ .whole = true, .status = 200 }, 7,
                              f.now_ms),
                 0, "an orderly end is no trouble");
    cr_assert(look(&f, &w) && w.watched);
    f.now_ms += WATCH_BLIND_MS + 1;
    cr_assert(look(&f, &w) && !w.watched);
    watch_table_state(f.table, f.now_ms, &state);
    cr_assert(state.synced);
    f.now_ms += WATCH_AWAY_MS;
    watch_table_state(f.table, f.now_ms, &state);
    cr_assert_not(state.synced);
    stream_head(&f.streams[WATCH_POD], 200, f.now_ms);
    cr_assert(look(&f, &w) && w.watched);
    cr_assert_eq(w.well_since_ms, since_ms, "it went on from its version: no gap");
    close_fixture(&f);
}

/* ---- reports ---- */

Test(watch, changes_are_told_once_each)
{
    struct fixture f;
    struct watch_workload w;
    struct pod_text p = pod_of("a", "rs1");
    open_fixture(&f);
    list_web(&f);
    cr_assert(watch_table_take_changed(f.table, f.now_ms, &w), "it turned well");
    cr_assert_not(watch_table_take_changed(f.table, f.now_ms, &w));
    put_pod(&f, p);
    cr_assert_not(watch_table_take_changed(f.table, f.now_ms, &w), "nothing changed");
    p.unready = true;
    put_pod(&f, p);
    cr_assert(watch_table_take_changed(f.table, f.now_ms, &w), "it turned not well");
    cr_assert_eq(w.well_since_ms, 0);
    struct deployment web = WEB;
    web.image = "web:2";
    put_web(&f, web);
    cr_assert(watch_table_take_changed(f.table, f.now_ms, &w), "another template");
    put_pod(&f, pod_of("a", "rs1"));
    cr_assert(event(&f, WATCH_DEPLOYMENT, "DELETED", deployment(&web)));
    cr_assert_not(watch_table_take_changed(f.table, f.now_ms, &w), "what is gone is not told");
    close_fixture(&f);
}

Test(watch, well_is_reported_every_minute_until_it_is_proven)
{
    struct fixture f;
    struct watch_workload w;
    open_fixture(&f);
    list_web(&f);
    f.now_ms += 9999;
    cr_assert_eq(watch_table_take_well(f.table, f.now_ms, 10000, &w, 1), 0, "not long enough");
    f.now_ms += 1;
    cr_assert_eq(watch_table_take_well(f.table, f.now_ms, 10000, &w, 1), 1);
    cr_assert_str_eq(w.target.name, "web");
    cr_assert_eq(watch_table_take_well(f.table, f.now_ms, 10000, &w, 1), 0);
    f.now_ms += WATCH_REPORT_MS;
    cr_assert_eq(watch_table_take_well(f.table, f.now_ms, 10000, &w, 1), 1, "again: nobody took it");
    watch_table_proven(f.table, "d1", "of another template");
    f.now_ms += WATCH_REPORT_MS;
    cr_assert_eq(watch_table_take_well(f.table, f.now_ms, 10000, &w, 1), 1);
    watch_table_proven(f.table, "d1", w.template_hash);
    f.now_ms += WATCH_REPORT_MS;
    cr_assert_eq(watch_table_take_well(f.table, f.now_ms, 10000, &w, 1), 0);
    struct deployment web = WEB;
    web.image = "web:2";
    put_web(&f, web);
    f.now_ms += 10000;
    cr_assert_eq(watch_table_take_well(f.table, f.now_ms, 10000, &w, 1), 1,
                 "another template is another proof");
    close_fixture(&f);
}

/* ---- limits ---- */

Test(watch, a_full_table_is_told_once_and_the_rest_is_not_watched)
{
    struct fixture f;
    struct watch_workload w;
    struct watch_state state;
    char name[32], uid[32];
    open_fixture(&f);
    list_nothing(&f);
    for (unsigned i = 0; i < WATCH_WORKLOADS_MAX + 2; i++) {
        struct deployment d = WEB;
        snprintf(name, sizeof name, "w%u", i);
        snprintf(uid, sizeof uid, "uid%u", i);
        d.name = i == WATCH_WORKLOADS_MAX ? "web" : name;
        d.uid = uid;
        put_web(&f, d);
    }
    watch_table_state(f.table, f.now_ms, &state);
    cr_assert_eq(state.workloads, WATCH_WORKLOADS_MAX);
    cr_assert_eq(state.errors, 2);
    cr_assert_not(look(&f, &w));
    const char *told = strstr(f.log, "more than 20000 workloads");
    cr_assert_not_null(told, "%s", f.log);
    cr_assert_null(strstr(told + 1, "more than"));
    close_fixture(&f);
}
