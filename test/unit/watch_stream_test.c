/* test/unit/watch_stream_test.c - one stream of the watch, on recorded bytes. */
#include "test/kit/fault.h"
#include "test/kit/watch_kit.h"

#include <criterion/parameterized.h>

static void path_is(const struct stream *s, const char *wanted)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    cr_assert_eq(stream_path(s, &path, 42, NULL), ERR_OK);
    cr_assert_str_eq(buf_text(&path), wanted);
}

Test(watch, a_stream_lists_page_by_page_then_watches_from_there)
{
    struct fixture f;
    struct stream s;
    open_fixture(&f);
    stream_init(&s, f.table, &f.hooks, "shop", 0, WATCH_REPLICASET);
    path_is(&s, "/apis/apps/v1/namespaces/shop/replicasets?limit=50");
    cr_assert_str_eq(stream_accept(&s), "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
    cr_assert_str_eq(stream_verb(&s), "list");
    const char *page = "{\"metadata\":{\"resourceVersion\":\"17\",\"continue\":\"a/b\"},\"items\":[]}";
    cr_assert(stream_bytes(&s, 200, page, strlen(page), f.now_ms));
    cr_assert_eq(stream_ended(&s, &(struct stream_end){ .whole = true, .status = 200 }, 7, f.now_ms), 0);
    path_is(&s, "/apis/apps/v1/namespaces/shop/replicasets?limit=50&continue=a%2Fb");
    page = "{\"metadata\":{\"resourceVersion\":\"17\"},\"items\":null}"; /* Go's empty list may be null */
    cr_assert(stream_bytes(&s, 200, page, strlen(page), f.now_ms));
    cr_assert_eq(stream_ended(&s, &(struct stream_end){ .whole = true, .status = 200 }, 7, f.now_ms), 0);
    path_is(&s, "/apis/apps/v1/namespaces/shop/replicasets?watch=true&allowWatchBookmarks=true&"
                "resourceVersion=17&timeoutSeconds=342");
    cr_assert_str_eq(stream_accept(&s), "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
    stream_release(&s);
    close_fixture(&f);
}

static char *slurp(const char *name)
{
    char path[512];
    static char text[16384];
    snprintf(path, sizeof path, "%s/%s", TEST_DATA, name);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file, "%s", path);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    return text;
}

/* Recorded: ADDED, MODIFIED, BOOKMARK, DELETED, then ERROR 410; in pieces of every size. */
Test(watch, events_are_read_whole_however_they_are_cut)
{
    const char *text = slurp("k8s-watch.ndjson");
    size_t len = strlen(text);
    for (size_t piece = 1; piece < 4000; piece = piece * 3 + 1) {
        struct fixture f;
        struct watch_state state;
        open_fixture(&f);
        list_nothing(&f);
        struct stream *s = &f.streams[WATCH_POD];
        bool more = true;
        for (size_t at = 0; more && at < len; at += piece)
            more = stream_bytes(s, 200, text + at, piece < len - at ? piece : len - at, f.now_ms);
        watch_table_state(f.table, f.now_ms, &state);
        cr_assert_eq(state.events, 5, "pieces of %zu", piece);
        cr_assert_eq(state.pods, 0);
        cr_assert_str_eq(s->version, "81377120");
        cr_assert(s->expired && !more);
        close_fixture(&f);
    }
}

Test(watch, a_bookmark_moves_the_version_and_nothing_else)
{
    struct fixture f;
    struct watch_state state;
    open_fixture(&f);
    list_web(&f);
    cr_assert(
        event(&f, WATCH_POD, "BOOKMARK", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"999\"}}"));
    cr_assert_str_eq(f.streams[WATCH_POD].version, "999");
    watch_table_state(f.table, f.now_ms, &state);
    cr_assert_eq(state.pods, 2);
    cr_assert_neq(well_since(&f), 0);
    close_fixture(&f);
}

struct bad_line {
    char text[80];
};

ParameterizedTestParameters(watch, a_line_that_cannot_be_used_begins_a_new_list)
{
    static struct bad_line cases[] = {
        { "garbage\n" },
        { "{\"type\":\"ADDED\",\"object\":{\n" },
        { "{\"type\":\"ERROR\",\"object\":{\"code\":500,\"message\":\"etcd is away\"}}\n" },
    };
    return cr_make_param_array(struct bad_line, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad_line *c, watch, a_line_that_cannot_be_used_begins_a_new_list)
{
    struct fixture f;
    open_fixture(&f);
    list_web(&f);
    struct stream *s = &f.streams[WATCH_POD];
    cr_assert_not(stream_bytes(s, 200, c->text, strlen(c->text), f.now_ms));
    cr_assert_gt(stream_ended(s, &(struct stream_end){ .status = 200, .why = "aborted" }, 7, f.now_ms), 0,
                 "not at once");
    cr_assert_not(s->watching);
    assert_not_well(&f, "has not read everything");
    cr_assert_not_null(strstr(f.log, "WARN watch of Pod: "), "%s", f.log);
    close_fixture(&f);
}

Test(watch, a_line_over_the_limit_begins_a_new_list)
{
    struct fixture f;
    static char bytes[65536];
    open_fixture(&f);
    list_web(&f);
    struct stream *s = &f.streams[WATCH_POD];
    memset(bytes, 'x', sizeof bytes);
    size_t sent = 0;
    while (sent <= WATCH_LINE_MAX && stream_bytes(s, 200, bytes, sizeof bytes, f.now_ms))
        sent += sizeof bytes;
    cr_assert_leq(sent, WATCH_LINE_MAX);
    stream_ended(s, &(struct stream_end){ .status = 200, .why = "aborted" }, 7, f.now_ms);
    cr_assert_not(s->watching);
    close_fixture(&f);
}

Test(watch, pauses_grow_to_a_limit_and_honour_the_server)
{
    struct fixture f;
    open_fixture(&f);
    struct stream *s = &f.streams[WATCH_POD];
    const struct stream_end refused = { .status = 0, .retry_after_ms = -1, .why = "refused" };
    const struct stream_end busy = { .whole = true, .status = 429, .retry_after_ms = 30000 };
    const struct stream_end for_ever = { .whole = true, .status = 429, .retry_after_ms = 1000000000 };
    int64_t before_ms = 0;
    for (int i = 0; i < 10; i++) {
        int64_t ms = stream_ended(s, &refused, 0, f.now_ms);
        cr_assert(ms >= before_ms && ms <= STREAM_PAUSE_MAX_MS, "%ld after %ld", (long)ms, (long)before_ms);
        before_ms = ms;
    }
    cr_assert_eq(before_ms, STREAM_PAUSE_MAX_MS);
    cr_assert_gt(stream_ended(s, &refused, 4999, f.now_ms), STREAM_PAUSE_MAX_MS, "jitter");
    cr_assert_geq(stream_ended(s, &busy, 0, f.now_ms), 30000);
    cr_assert_leq(stream_ended(s, &for_ever, UINT64_MAX, f.now_ms), 100000);
    close_fixture(&f);
}

#define DENIED                                                                                               \
    "WARN watch of Deployment: watch: 403: grant heald the verbs list and watch on apps/deployments, in "    \
    "all "                                                                                                   \
    "namespaces or in those that heald.cfg names"

Test(watch, a_lasting_trouble_is_told_now_and_then_and_its_end_too)
{
    struct fixture f;
    open_fixture(&f);
    list_nothing(&f);
    struct stream *s = &f.streams[WATCH_DEPLOYMENT];
    const struct stream_end denied = { .whole = true, .status = 403, .retry_after_ms = -1 };
    for (int i = 0; i < 5; i++) {
        const char *body = "{\"kind\":\"Status\",\"message\":\"deployments.apps is forbidden\"}";
        cr_assert(stream_bytes(s, 403, body, strlen(body), f.now_ms));
        stream_ended(s, &denied, 7, f.now_ms);
        f.now_ms += 1000;
    }
    cr_assert_str_eq(f.log, DENIED ": deployments.apps is forbidden\n");
    cr_assert(s->watching, "its place is kept");
    f.now_ms += STREAM_LOG_EVERY_MS;
    stream_ended(s, &denied, 7, f.now_ms);
    stream_head(s, 200, f.now_ms);
    cr_assert_str_eq(f.log,
                     DENIED ": deployments.apps is forbidden\n" DENIED "\nwatch of Deployment: goes on\n");
    close_fixture(&f);
}

Test(watch, one_pod_with_nul_in_an_annotation_does_not_blind)
{
    struct fixture f;
    struct target owner;
    open_fixture(&f);
    list_web(&f);
    struct pod_text p = pod_of("c\\u0000", "rs1");
    cr_assert(event(&f, WATCH_POD, "ADDED", pod(&p)));
    cr_assert(watch_table_pod_owner(f.table, "shop", "c\xef\xbf\xbd", &owner));
    close_fixture(&f);
}

Test(watch_stream, a_refusal_names_verb_resource_and_namespace)
{
    struct fixture f;
    open_fixture(&f);
    struct stream *s = &f.streams[WATCH_POD];
    s->namespace = "shop";
    (void)stream_ended(s, &(struct stream_end){ .whole = true, .status = 403, .retry_after_ms = -1 }, 7,
                       f.now_ms);
    cr_assert_str_eq(
        f.log, "WARN watch of Pod in shop: list: 403: grant heald the verbs list and watch on pods in the "
               "namespace shop\n");
    s->namespace = NULL;
    close_fixture(&f);
}

Test(watch_stream, without_memory_for_an_event_everything_is_read_again)
{
    struct fixture f;
    struct deployment other = WEB;
    other.name = "other", other.uid = "d2";
    open_fixture(&f);
    list_web(&f);
    const char *object = deployment(&other);
    unsigned relisted = 0, n = 0;
    do {
        fault_malloc_at(++n);
        if (!event(&f, WATCH_DEPLOYMENT, "ADDED", object)) {
            (void)stream_ended(&f.streams[WATCH_DEPLOYMENT], &(struct stream_end){ .status = 200 }, 7,
                               f.now_ms);
            cr_assert_not(f.streams[WATCH_DEPLOYMENT].watching);
            relisted++;
            struct deployment web = WEB;
            list(&f, WATCH_DEPLOYMENT, deployment(&web));
            object = deployment(&other);
        }
    } while (fault_hit());
    cr_assert_gt(relisted, 0, "an event was lost and nobody noticed");
    close_fixture(&f);
}
