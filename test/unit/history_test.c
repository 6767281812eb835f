/* test/unit/history_test.c - whose pod, which revision, whose alert: the pure parts of observe(). */
#include "actions/history.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "actions/belongs.h"
#include "actions/resolve.h"
#include "test/kit/sample.h"

static struct target make_target(const char *kind, const char *name)
{
    struct target t;
    memset(&t, 0, sizeof t);
    snprintf(t.cluster, sizeof t.cluster, "prod-1");
    snprintf(t.namespace, sizeof t.namespace, "shop");
    snprintf(t.kind, sizeof t.kind, "%s", kind);
    snprintf(t.name, sizeof t.name, "%s", name);
    snprintf(t.uid, sizeof t.uid, "w1");
    return t;
}

/* ---- names ---- */

struct name_case {
    char kind[16], name[80], pod[160];
    int fits;
};

#define N60 "abcdefghij-abcdefghij-abcdefghij-abcdefghij-abcdefghij-abcde"

ParameterizedTestParameters(belongs, to_a_workload_by_the_names_controllers_give)
{
    static struct name_case cases[] = {
        { "Deployment", "checkout", "checkout-7c9f8d6b5-x2x9k", 1 },
        { "Deployment", "checkout", "checkout-67547d89d8-bcd45", 1 },
        { "Deployment", "checkout", "checkout-api-7c9f8d6b5-x2x9k", 0 },
        { "Deployment", "checkout-api", "checkout-7c9f8d6b5-x2x9k", 0 },
        { "Deployment", "checkout", "checkout-x2x9k", 0 },
        { "Deployment", "checkout", "checkout-0", 0 },
        { "Deployment", "checkout", "checkout-7c9f8d6b5-x2x9", 0 },
        { "Deployment", "checkout", "checkout-7c9f8d6b5cc-x2x9k", 0 },
        { "Deployment", "checkout", "checkout-7c9e8d6b5-x2x9k", 0 }, /* e is never generated */
        { "Deployment", "checkout", "checkout", 0 },
        { "Deployment", "checkout", "x2x9k", 0 },
        { "Deployment", "checkout", "", 0 },
        { "Deployment", N60, "abcdefghij-abcdefghij-abcdefghij-abcdefghij-abcdefghij-abcx2x9k", 1 },
        { "Deployment", N60, "abcdefghij-abcdefghij-abcdefghij-abcdefghij-abcdefghij-abdx2x9k", 0 },
        { "StatefulSet", "db", "db-0", 1 },
        { "StatefulSet", "db", "db-12", 1 },
        { "StatefulSet", "db", "db-", 0 },
        { "StatefulSet", "db", "db-replica-0", 0 },
        { "StatefulSet", "db", "dba-0", 0 },
        { "DaemonSet", "agent", "agent-x2x9k", 1 },
        { "DaemonSet", "agent", "agent-x2x9", 0 },
        { "DaemonSet", "agent", "agent-log-x2x9k", 0 },
        { "Job", "j", "j-x2x9k", 0 },
    };
    return cr_make_param_array(struct name_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct name_case *c, belongs, to_a_workload_by_the_names_controllers_give)
{
    struct target t = make_target(c->kind, c->name);
    cr_assert_eq(belongs_pod_name(&t, c->pod), c->fits, "\"%s\" of %s \"%s\"", c->pod, c->kind, c->name);
}

/* ---- labels ---- */

static void set_labels(struct map *m, const char *text)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
    for (const struct json *l = json_first(json_root(doc)); l; l = json_next(l))
        cr_assert_eq(map_set(m, json_name(l), json_string(l, ""), NULL), ERR_OK);
}

struct label_case {
    char labels[200];
    int belongs;
};

ParameterizedTestParameters(belongs, by_namespace_and_workload_or_pod)
{
    static struct label_case cases[] = {
        { "{'namespace':'shop','deployment':'checkout'}", 1 },
        { "{'namespace':'shop','deployment':'cart'}", 0 },
        { "{'namespace':'other','deployment':'checkout'}", 0 },
        { "{'deployment':'checkout'}", 0 },
        { "{'namespace':'shop','pod':'checkout-7c9f8d6b5-x2x9k'}", 1 },
        { "{'namespace':'shop','pod':'cart-7c9f8d6b5-x2x9k'}", 0 },
        { "{'namespace':'other','pod':'checkout-7c9f8d6b5-x2x9k'}", 0 },
        { "{'namespace':'shop','deployment':'cart','pod':'checkout-7c9f8d6b5-x2x9k'}", 0 },
        { "{'namespace':'shop','statefulset':'checkout'}", 0 },
        { "{'namespace':'shop'}", 0 },
        { "{'cluster':'prod-1','namespace':'shop','deployment':'checkout'}", 1 },
        { "{'cluster':'prod-2','namespace':'shop','deployment':'checkout'}", 0 },
        { "{}", 0 },
        /* the alert that was resolved to the target, before external labels */
        { "{'alertname':'SlowShop','namespace':'shop'}", 1 },
        { "{'alertname':'SlowShop','namespace':'shop','extra':'1'}", 0 },
    };
    return cr_make_param_array(struct label_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct label_case *c, belongs, by_namespace_and_workload_or_pod)
{
    CLEANUP(map_release) struct map labels = MAP_INIT;
    CLEANUP(map_release) struct map own = MAP_INIT;
    struct target t = make_target("Deployment", "checkout");
    struct belonging b = { .target = &t, .labels = &own };
    set_labels(&own, "{'alertname':'SlowShop','cluster':'prod-1','namespace':'shop','severity':'page'}");
    set_labels(&labels, c->labels);
    cr_assert_eq(belongs_to_target(&b, &labels), c->belongs, "%s", c->labels);
}

/* ---- revisions ---- */

static void add(struct history *h, const char *text)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
    history_add(h, json_root(doc));
}

static void add_set(struct history *h, const char *name, const char *uid, const char *owner,
                    const char *number, const char *image)
{
    char text[600];
    snprintf(text, sizeof text,
             "{'metadata':{'name':'%s','uid':'%s','annotations':{'deployment.kubernetes.io/revision':'%s'},"
             "'ownerReferences':[{'kind':'Deployment','name':'checkout','uid':'%s','controller':true}]},"
             "'spec':{'template':{'metadata':{'labels':{'app':'checkout','pod-template-hash':'%s'}},'spec':{'"
             "image':'%s'}}}}",
             name, uid, number, owner, uid, image);
    add(h, text);
}

Test(history, keeps_only_the_targets_own_revisions_newest_first)
{
    struct history h = HISTORY_INIT;
    struct observation o;
    memset(&o, 0, sizeof o);
    h.target = make_target("Deployment", "checkout");
    add_set(&h, "checkout-a", "ra", "w1", "9", "v1");
    add_set(&h, "checkout-b", "rb", "w1", "10", "v2");
    add_set(&h, "checkout-c", "rc", "somebody", "11", "v3");
    add_set(&h, "checkout-d", "rd", "w1", "nonsense", "v4");
    history_newest(&h, &o);
    cr_assert_eq(o.revisions_len, 3);
    cr_assert_str_eq(o.revisions[0].name, "checkout-b");
    cr_assert_eq(o.revisions[0].number, 10);
    cr_assert_str_eq(o.revisions[1].name, "checkout-a");
    cr_assert_str_eq(o.revisions[2].name, "checkout-d");
    cr_assert_str_neq(o.revisions[0].template_hash, o.revisions[1].template_hash);
    history_release(&h);
}

Test(history, counts_an_object_once_however_often_it_is_listed)
{
    struct history h = HISTORY_INIT;
    h.target = make_target("Deployment", "checkout");
    add_set(&h, "checkout-a", "ra", "w1", "1", "v1");
    add_set(&h, "checkout-a", "ra", "w1", "3", "v1");
    cr_assert_eq(h.len, 1);
    cr_assert_eq(h.entries[0].revision.number, 3);
    history_release(&h);
}

Test(history, shows_the_newest_sixteen)
{
    struct history h = HISTORY_INIT;
    struct observation o;
    char name[32], number[16];
    memset(&o, 0, sizeof o);
    h.target = make_target("Deployment", "checkout");
    for (int k = 1; k <= 40; k++) {
        snprintf(name, sizeof name, "checkout-%d", k);
        snprintf(number, sizeof number, "%d", k);
        add_set(&h, name, name, "w1", number, "v1");
    }
    history_newest(&h, &o);
    cr_assert_eq(o.revisions_len, OBSERVATION_REVISIONS_MAX);
    cr_assert_eq(o.revisions[0].number, 40);
    cr_assert_eq(o.revisions[15].number, 25);
    history_release(&h);
}

Test(history, stops_at_its_maximum)
{
    struct history h = HISTORY_INIT;
    char name[32];
    h.target = make_target("Deployment", "checkout");
    for (unsigned k = 0; k < HISTORY_MAX; k++) {
        snprintf(name, sizeof name, "checkout-%u", k);
        add_set(&h, name, name, "w1", "1", "v1");
    }
    cr_assert_not(h.failed);
    add_set(&h, "one-more", "one-more", "w1", "1", "v1");
    cr_assert(h.failed);
    cr_assert_eq(h.len, HISTORY_MAX);
    history_release(&h);
}

static bool owns(const struct history *h, const char *pod)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_text(pod);
    return history_owns(h, json_root(doc));
}

static bool present(const struct history *h, const char *workload, const char *hash, const char *pod)
{
    CLEANUP(json_freep) struct json_doc *w = sample_text(workload);
    CLEANUP(json_freep) struct json_doc *p = sample_text(pod);
    return history_present(h, json_root(w), hash, json_root(p));
}

#define OWNED_BY(uid) "'ownerReferences':[{'kind':'x','uid':'" uid "','controller':true}]"

Test(history, a_deployments_pod_is_of_the_replica_set_with_the_present_template)
{
    struct history h = HISTORY_INIT;
    h.target = make_target("Deployment", "checkout");
    add_set(&h, "checkout-a", "ra", "w1", "1", "v1");
    add_set(&h, "checkout-b", "rb", "w1", "2", "v2");
    const char *old_pod = "{'metadata':{" OWNED_BY("ra") "}}", *new_pod = "{'metadata':{" OWNED_BY("rb") "}}";
    const char *hash = h.entries[1].revision.template_hash;
    cr_assert(owns(&h, old_pod) && owns(&h, new_pod));
    cr_assert_not(owns(&h, "{'metadata':{" OWNED_BY("rc") "}}"));
    cr_assert_not(owns(&h, "{'metadata':{" OWNED_BY("w1") "}}"), "a Deployment controls no pod itself");
    cr_assert_not(owns(&h, "{'metadata':{}}"));
    cr_assert(present(&h, "{}", hash, new_pod));
    cr_assert_not(present(&h, "{}", hash, old_pod));
    cr_assert_not(present(&h, "{}", "no such hash", new_pod));
    history_release(&h);
}

Test(history, a_stateful_sets_pod_is_of_its_update_revision)
{
    struct history h = HISTORY_INIT;
    h.target = make_target("StatefulSet", "db");
    const char *pod = "{'metadata':{'labels':{'controller-revision-hash':'db-2'}," OWNED_BY("w1") "}}";
    cr_assert(owns(&h, pod));
    cr_assert(present(&h, "{'status':{'updateRevision':'db-2'}}", "any", pod));
    cr_assert_not(present(&h, "{'status':{'updateRevision':'db-3'}}", "any", pod));
    cr_assert_not(present(&h, "{'status':{}}", "any", "{'metadata':{" OWNED_BY("w1") "}}"));
}

Test(history, a_daemon_sets_pod_is_of_the_revision_with_the_present_template)
{
    struct history h = HISTORY_INIT;
    h.target = make_target("DaemonSet", "agent");
    add(&h,
        "{'metadata':{'name':'agent-6b8','uid':'c1','labels':{'controller-revision-hash':'6b8'}," OWNED_BY(
            "w1") "},'revision':4,'data':{'spec':{'template':{'$patch':'replace','spec':{}}}}}");
    add(&h, "{'metadata':{'name':'agent-no','uid':'c2'," OWNED_BY("w1") "},'revision':5,'data':{}}");
    cr_assert_eq(h.len, 1, "one without a template is no revision");
    cr_assert_eq(h.entries[0].revision.number, 4);
    const char *hash = h.entries[0].revision.template_hash;
    cr_assert(present(&h, "{}", hash, "{'metadata':{'labels':{'controller-revision-hash':'6b8'}}}"));
    cr_assert_not(present(&h, "{}", hash, "{'metadata':{'labels':{'controller-revision-hash':'7c9'}}}"));
    cr_assert_not(present(&h, "{}", hash, "{'metadata':{}}"));
    history_release(&h);
}

/* ---- links of the owner chain ---- */

#define CHILD                                                                                                \
    "{'metadata':{'name':'p','labels':{'app':'x'},'ownerReferences':[{'kind':'ReplicaSet','name':'r','uid':" \
    "'u1','controller':true}]}}"

struct link_case {
    char child[240], parent[160], word[40];
};

ParameterizedTestParameters(resolve, a_link_needs_equal_uid_and_a_matching_selector)
{
    static struct link_case cases[] = {
        { CHILD, "{'metadata':{'uid':'u1'},'spec':{'selector':{'matchLabels':{'app':'x'}}}}", "" },
        { CHILD, "{'metadata':{'uid':'u2'},'spec':{'selector':{'matchLabels':{'app':'x'}}}}", "another" },
        { CHILD, "{'metadata':{'uid':'u1'},'spec':{'selector':{'matchLabels':{'app':'y'}}}}", "selector" },
        { CHILD, "{'metadata':{'uid':'u1'},'spec':{}}", "selector" },
        { CHILD, "{'spec':{'selector':{'matchLabels':{'app':'x'}}}}", "another" },
        { "{'metadata':{'name':'p','labels':{'app':'x'}}}",
          "{'metadata':{'uid':'u1'},'spec':{'selector':{'matchLabels':{'app':'x'}}}}", "another" },
    };
    return cr_make_param_array(struct link_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct link_case *c, resolve, a_link_needs_equal_uid_and_a_matching_selector)
{
    CLEANUP(json_freep) struct json_doc *child = sample_text(c->child);
    CLEANUP(json_freep) struct json_doc *parent = sample_text(c->parent);
    struct err e = ERR_INIT;
    enum err_code want = c->word[0] ? ERR_REFUSED : ERR_OK;
    cr_assert_eq(resolve_link(json_root(child), json_root(parent), &e), want, "%s", e.msg);
    cr_assert_not_null(strstr(e.msg, c->word), "\"%s\" should say \"%s\"", e.msg, c->word);
}

Test(resolve, labels_are_shown_cut)
{
    CLEANUP(map_release) struct map labels = MAP_INIT;
    char text[LABELS_TEXT_SIZE], value[1000];
    set_labels(&labels, "{'b':'2','a':'1'}");
    cr_assert_str_eq(resolve_labels_text(text, &labels), "{a=\"1\", b=\"2\"}");
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    cr_assert_eq(map_set(&labels, "long", value, NULL), ERR_OK);
    cr_assert_eq(strlen(resolve_labels_text(text, &labels)), LABELS_TEXT_SIZE - 1);
}
