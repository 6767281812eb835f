/* test/unit/governors_test.c - autoscalers, disruption budgets, and what Alertmanager says of an alert. */
#include "actions/verify/governors.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "actions/verify/alertmanager.h"
#include "test/kit/http_peer.h"
#include "test/kit/sample.h"

static struct observation checkout(void)
{
    struct observation o;
    memset(&o, 0, sizeof o);
    snprintf(o.target.kind, sizeof o.target.kind, "Deployment");
    snprintf(o.target.name, sizeof o.target.name, "checkout");
    return o;
}

/* ---- autoscalers ---- */

struct hpa_case {
    char scales[120];
    int mine;
};

ParameterizedTestParameters(hpa, counts_when_it_scales_the_target)
{
    static struct hpa_case cases[] = {
        { "'apiVersion':'apps/v1','kind':'Deployment','name':'checkout'", 1 },
        { "'kind':'Deployment','name':'checkout'", 1 },
        { "'apiVersion':'apps/v1','kind':'StatefulSet','name':'checkout'", 0 },
        { "'apiVersion':'apps/v1','kind':'Deployment','name':'cart'", 0 },
        { "'apiVersion':'argoproj.io/v1alpha1','kind':'Deployment','name':'checkout'", 0 },
        { "", 0 },
    };
    return cr_make_param_array(struct hpa_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct hpa_case *c, hpa, counts_when_it_scales_the_target)
{
    char text[400];
    struct observation o = checkout();
    snprintf(text, sizeof text,
             "{'metadata':{'name':'h'},'spec':{'scaleTargetRef':{%s},'minReplicas':2,'maxReplicas':9}}",
             c->scales);
    CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
    governors_no_hpa(&o);
    cr_assert(o.hpa_known && !o.hpa && o.hpa_text[0]);
    governors_add_hpa(&o, json_root(doc));
    cr_assert_eq(o.hpa, c->mine);
    cr_assert_eq(o.hpa_most, c->mine ? 9 : 0);
    if (c->mine)
        cr_assert_str_eq(o.hpa_text, "HorizontalPodAutoscaler \"h\" scales it between 2 and 9");
}

/* ---- budgets ---- */

struct pdb_case {
    char selector[120];
    int mine;
};

ParameterizedTestParameters(pdb, counts_when_it_selects_the_pods)
{
    static struct pdb_case cases[] = {
        { "'selector':{'matchLabels':{'app':'checkout'}},", 1 },
        { "'selector':{'matchExpressions':[{'key':'app','operator':'Exists'}]},", 1 },
        { "'selector':{'matchLabels':{'app':'cart'}},", 0 },
        { "'selector':{},", 1 }, /* policy/v1: every pod */
        { "", 0 },               /* and without one: none */
    };
    return cr_make_param_array(struct pdb_case, cases, sizeof cases / sizeof cases[0]);
}

static void add_pdb(struct observation *o, const char *selector, int generation, int allowed)
{
    char text[500];
    snprintf(text, sizeof text,
             "{'metadata':{'name':'b%d','generation':%d},'spec':{%s'minAvailable':2},'status':{'"
             "observedGeneration':1,"
             "'disruptionsAllowed':%d,'currentHealthy':3,'desiredHealthy':2}}",
             allowed, generation, selector, allowed);
    CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
    CLEANUP(json_freep) struct json_doc *labels = sample_text("{'app':'checkout','tier':'web'}");
    governors_add_pdb(o, json_root(doc), json_root(labels));
}

ParameterizedTest(struct pdb_case *c, pdb, counts_when_it_selects_the_pods)
{
    struct observation o = checkout();
    governors_no_pdb(&o);
    add_pdb(&o, c->selector, 1, 1);
    cr_assert_eq(o.pdb, c->mine);
    cr_assert_eq(o.pdb_allowed, c->mine);
    if (c->mine)
        cr_assert_str_eq(
            o.pdb_text, "PodDisruptionBudget \"b1\" allows 1 disruptions now: 3 pods are healthy, 2 must be");
}

Test(pdb, the_tightest_counts_and_numbers_that_are_not_current_allow_nothing)
{
    struct observation o = checkout();
    governors_no_pdb(&o);
    add_pdb(&o, "'selector':{},", 1, 5);
    add_pdb(&o, "'selector':{},", 1, 1);
    add_pdb(&o, "'selector':{},", 1, 3);
    cr_assert_eq(o.pdb_allowed, 1);
    add_pdb(&o, "'selector':{},", 2, 4);
    cr_assert_eq(o.pdb_allowed, 0);
    cr_assert_not_null(strstr(o.pdb_text, "\"b4\""));
    cr_assert_not_null(strstr(o.pdb_text, "not current"));
}

/* ---- Alertmanager ---- */

static bool in_shop(void *ctx, const struct map *labels)
{
    const char *namespace = map_get(labels, "namespace");
    return ctx == NULL && namespace && strcmp(namespace, "shop") == 0;
}

#define ALERT(namespace, status)                                                                             \
    "{'labels':{'alertname':'Down','namespace':'" namespace "'},'status':{" status "}}"
#define ACTIVE "'state':'active','silencedBy':[],'inhibitedBy':[]"
#define SILENCED "'state':'suppressed','silencedBy':['5c1a'],'inhibitedBy':[]"
#define INHIBITED "'state':'suppressed','silencedBy':[],'inhibitedBy':['ab12']"
#define MUTED "'state':'suppressed','silencedBy':[],'inhibitedBy':[],'mutedBy':['nights']"

struct silence_case {
    char answer[400];
    enum alertmanager_state state;
    char text[60];
};

ParameterizedTestParameters(alertmanager, says_whether_what_belongs_to_the_target_is_silenced)
{
    static struct silence_case cases[] = {
        { "[" ALERT("shop", SILENCED) "]", ALERTMANAGER_SILENCED, "silenced by 5c1a" },
        { "[" ALERT("shop", INHIBITED) "]", ALERTMANAGER_SILENCED, "inhibited by ab12" },
        { "[" ALERT("shop", MUTED) "]", ALERTMANAGER_SILENCED, "muted by nights" },
        { "[" ALERT("shop", "'state':'suppressed'") "]", ALERTMANAGER_SILENCED, "suppressed" },
        { "[" ALERT("shop", ACTIVE) "]", ALERTMANAGER_ACTIVE, "active" },
        { "[" ALERT("shop", "'state':'unprocessed'") "]", ALERTMANAGER_ACTIVE, "active" },
        { "[" ALERT("shop", SILENCED) "," ALERT("shop", ACTIVE) "]", ALERTMANAGER_ACTIVE, "active" },
        { "[" ALERT("shop", SILENCED) "," ALERT("bank", ACTIVE) "]", ALERTMANAGER_SILENCED,
          "silenced by 5c1a" },
        { "[" ALERT("bank", SILENCED) "]", ALERTMANAGER_ABSENT, "knows no such alert" },
        { "[]", ALERTMANAGER_ABSENT, "knows no such alert" },
        { "{'code':500}", ALERTMANAGER_UNKNOWN, "no list of alerts" },
    };
    return cr_make_param_array(struct silence_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct silence_case *c, alertmanager, says_whether_what_belongs_to_the_target_is_silenced)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_text(c->answer);
    struct observation o = checkout();
    alertmanager_read(json_root(doc), in_shop, NULL, &o);
    cr_assert_eq(o.silenced, c->state, "%d", o.silenced);
    cr_assert_not_null(strstr(o.silenced_text, c->text), "%s", o.silenced_text);
}

Test(alertmanager, the_documented_sample_is_silenced)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_file("alertmanager-api-get-alerts.json");
    struct observation o = checkout();
    alertmanager_read(json_root(doc), in_shop, NULL, &o);
    cr_assert_eq(o.silenced, ALERTMANAGER_SILENCED);
    cr_assert_str_eq(o.silenced_text, "silenced by 5c1a0b5e-6b0e-4d3b-9a55-3c2a6f0f8a10");
}

static struct observation ask(const struct peer_answer *answer, const char *alertname, char *ret_request,
                              size_t size)
{
    struct observation o = checkout();
    struct err e = ERR_INIT;
    struct http *http = NULL;
    struct remote *at = NULL;
    struct http_peer *peer = http_peer_new();
    http_peer_script(peer, answer);
    cr_assert_eq(http_new(&http, &e), ERR_OK);
    cr_assert_eq(remote_new(&at, "alertmanager", http_peer_url(peer), NULL, NULL, NULL, &e), ERR_OK);
    alertmanager_ask(at, http, alertname, in_shop, NULL, &o);
    if (ret_request)
        snprintf(ret_request, size, "%s", http_peer_request(peer, 0));
    remote_free(at);
    http_free(http);
    http_peer_free(peer);
    return o;
}

Test(alertmanager, is_asked_by_a_matcher_that_no_name_can_leave)
{
    char request[1024];
    struct observation o =
        ask(&(struct peer_answer){ .body = "[]" }, "a\"b\\c\nd,&x", request, sizeof request);
    cr_assert(o.alertmanager);
    cr_assert_eq(o.silenced, ALERTMANAGER_ABSENT, "%s", o.silenced_text);
    cr_assert_not_null(
        strstr(request, "GET /api/v2/alerts?filter=alertname%3D%22a%5C%22b%5C%5Cc%5Cnd%2C%26x%22 HTTP"), "%s",
        request);
}

Test(alertmanager, that_is_away_or_talks_nonsense_says_nothing_about_silences)
{
    static const struct peer_answer answers[] = {
        { .status = 503, .body = "starting" },
        { .status = 200, .body = "<html>" },
        { .way = PEER_CUT, .body = "[]          " },
        { .way = PEER_CLOSE_READ, .always = true },
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct observation o = ask(&answers[i], "Down", NULL, 0);
        cr_assert_eq(o.silenced, ALERTMANAGER_UNKNOWN, "answer %zu", i);
        cr_assert(strncmp(o.silenced_text, "alertmanager cannot be asked: ", 30) == 0, "%s", o.silenced_text);
    }
}
