/* test/unit/bounds_test.c - what bounds heald itself, as text; that it holds is tried on a real API server.
 */
#include "actions/bounds.h"

#include <criterion/criterion.h>
#include <string.h>

#include "actions/catalogue.h"

static void equal_but(struct buf *ret, const char *paths)
{
    struct err e = ERR_INIT;
    cr_assert_eq(bounds_equal_but(ret, &paths, 1, &e), ERR_OK, "%s", e.msg);
}

Test(bounds, a_field_is_free_and_its_neighbours_are_not)
{
    CLEANUP(buf_release) struct buf cel = BUF_INIT;
    equal_but(&cel, "spec.replicas");
    cr_assert_str_eq(buf_text(&cel),
                     "object.all(k, k in [\"spec\"] || (k in oldObject && object[k] == oldObject[k])) &&\n"
                     "oldObject.all(k, k in [\"spec\"] || k in object) &&\n"
                     "object[?\"spec\"].orValue({}).all(k, k in [\"replicas\"] || (k in "
                     "oldObject[?\"spec\"].orValue({}) && object[?\"spec\"].orValue({})[k] == "
                     "oldObject[?\"spec\"].orValue({})[k])) &&\n"
                     "oldObject[?\"spec\"].orValue({}).all(k, k in [\"replicas\"] || k in "
                     "object[?\"spec\"].orValue({}))");
}

Test(bounds, paths_that_share_their_beginning_share_a_level)
{
    CLEANUP(buf_release) struct buf cel = BUF_INIT;
    equal_but(&cel, "spec.a,spec.b.c,spec.b.d,spec.e,spec.e.f");
    cr_assert_not_null(strstr(buf_text(&cel), "k in [\"a\", \"b\", \"e\"]"), "%s", buf_text(&cel));
    cr_assert_not_null(strstr(buf_text(&cel), "k in [\"c\", \"d\"]"), "%s", buf_text(&cel));
    cr_assert_null(strstr(buf_text(&cel), "[\"f\"]"), "all of e is free already: %s", buf_text(&cel));
}

Test(bounds, elements_of_a_list_are_known_by_name)
{
    CLEANUP(buf_release) struct buf cel = BUF_INIT;
    equal_but(&cel, "spec.containers[].env");
    cr_assert_not_null(strstr(buf_text(&cel), "n1.name == o1.name"), "%s", buf_text(&cel));
    cr_assert_not_null(strstr(buf_text(&cel), "n1.all(k, k in [\"env\"] || (k in o1 && n1[k] == o1[k]))"),
                       "%s", buf_text(&cel));
}

Test(bounds, keys_with_dots_and_their_beginnings)
{
    CLEANUP(buf_release) struct buf cel = BUF_INIT;
    equal_but(&cel, "metadata.annotations.{heald.dev/*},metadata.annotations.{a.b/c}");
    cr_assert_not_null(strstr(buf_text(&cel), "k in [\"a.b/c\"] || k.startsWith(\"heald.dev/\")"), "%s",
                       buf_text(&cel));
}

Test(bounds, what_is_no_path_is_refused)
{
    static const char *const wrong[] = { ".",    "a..b", "a.{b", "a.{}",  "a[",
                                         "a[]b", "a\"b", "a,,b", "a.b\\", "a.b.c.d.e.f.g.h.i.j.k" };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        CLEANUP(buf_release) struct buf cel = BUF_INIT;
        cr_expect_neq(bounds_equal_but(&cel, &wrong[k], 1, NULL), ERR_OK, "\"%s\" was taken: %s", wrong[k],
                      buf_text(&cel));
    }
}

/* An action that patches an object, and not a subresource alone, says which fields. */
Test(bounds, every_action_that_patches_says_what_it_changes)
{
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    for (size_t i = 0; i < len; i++) {
        struct rights r = { .len = 0 };
        bool patches = false;
        cr_assert_eq(rights_add(&r, specs[i].verbs, "", NULL), ERR_OK);
        for (size_t k = 0; k < r.len; k++)
            patches = patches || (strcmp(r.list[k].verb, "patch") == 0 && !r.list[k].subresource[0]);
        cr_expect_eq(patches, specs[i].changes != NULL, "%s", specs[i].name);
        CLEANUP(buf_release) struct buf cel = BUF_INIT;
        struct err e = ERR_INIT;
        if (specs[i].changes)
            cr_expect_eq(bounds_equal_but(&cel, &specs[i].changes, 1, &e), ERR_OK, "%s: %s", specs[i].name,
                         e.msg);
    }
}

Test(bounds, what_an_environment_lets_patch_set_is_free)
{
    CLEANUP(policy_freep) struct policy *p = NULL;
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    static const char policy[] =
        "version = 1;\n"
        "environments = ( { name = \"e\"; match = [ \"namespace=shop\" ]; mode = \"act\";\n"
        "  patch = [ \"/spec/minReadySeconds\", "
        "\"/spec/template/spec/containers/0/livenessProbe/periodSeconds\" ]; } );\n"
        "rules = ( { name = \"r\"; match = [ \"alertname=A\" ]; target = { from = \"deployment\"; }; plan = "
        "\"p\"; } );\n"
        "plans = { p = { steps = ( { do = \"patch\"; path = \"/spec/minReadySeconds\"; value = \"10\"; "
        "verify = { hold = "
        "\"1m\"; within = \"20m\"; }; } ); }; };\n";
    struct rights rights;
    struct err e = ERR_INIT;
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    cr_assert_eq(policy_load(&p, "policy.cfg", policy, strlen(policy), specs, len, NULL, &e), ERR_OK, "%s",
                 e.msg);
    cr_assert_eq(rights_of_policy(&rights, p, &e), ERR_OK, "%s", e.msg);
    const struct bounds b = { .name = "x", .user = "u", .cluster = "c", .policy = p, .rights = &rights };
    cr_assert_eq(bounds_admission(&text, &b, &e), ERR_OK, "%s", e.msg);
    cr_assert_not_null(strstr(buf_text(&text), "k in [\"minReadySeconds\", \"template\"]"), "%s",
                       buf_text(&text));
    cr_assert_not_null(strstr(buf_text(&text), "n3.all(k, k in [\"livenessProbe\"]"), "%s", buf_text(&text));
    cr_assert_not_null(strstr(buf_text(&text), "k in [\"periodSeconds\"]"), "%s", buf_text(&text));
}

#define POLICY                                                                                               \
    "version = 1;\n"                                                                                         \
    "environments = ( { name = \"e\"; match = [ \"namespace=shop\" ]; mode = \"act\"; } );\n"                \
    "rules = ( { name = \"r\"; match = [ \"alertname=A\" ]; target = { from = \"deployment\"; }; plan = "    \
    "\"p\"; } );\n"                                                                                          \
    "plans = { p = { steps = ( { do = \"restart\"; verify = { hold = \"1m\"; within = \"20m\"; }; } ); }; "  \
    "};\n"

static void print(struct buf *ret, const char *user, const char *const *namespaces, size_t len)
{
    CLEANUP(policy_freep) struct policy *p = NULL;
    struct rights rights;
    struct err e = ERR_INIT;
    size_t specs_len = 0;
    const struct action_spec *specs = catalogue_specs(&specs_len);
    cr_assert_eq(policy_load(&p, "policy.cfg", POLICY, strlen(POLICY), specs, specs_len, NULL, &e), ERR_OK,
                 "%s", e.msg);
    cr_assert_eq(rights_of_policy(&rights, p, &e), ERR_OK, "%s", e.msg);
    const struct bounds b = { .name = "x",
                              .user = user,
                              .cluster = "c",
                              .namespaces = namespaces,
                              .namespaces_len = len,
                              .policy = p,
                              .rights = &rights };
    cr_assert_eq(bounds_roles(ret, &b, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(bounds_admission(ret, &b, &e), ERR_OK, "%s", e.msg);
}

Test(bounds, writing_is_bound_where_an_environment_acts)
{
    static const char *const namespaces[] = { "shop", "other" };
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    print(&text, "system:serviceaccount:heald:it", namespaces, 2);
    const char *act =
        strstr(buf_text(&text), "kind: RoleBinding\nmetadata:\n  name: \"x-act\"\n  namespace: \"shop\"\n");
    cr_assert_not_null(act, "%s", buf_text(&text));
    cr_assert_null(strstr(buf_text(&text), "name: \"x-act\"\n  namespace: \"other\""));
    cr_assert_not_null(strstr(buf_text(&text), "name: \"x-look\"\n  namespace: \"other\""));
    cr_assert_not_null(
        strstr(act, "subjects: [{ kind: ServiceAccount, namespace: \"heald\", name: \"it\" }]"));
    cr_assert_null(strstr(buf_text(&text), "ClusterRoleBinding"));
    cr_assert_null(strstr(buf_text(&text), "eviction"), "the policy evicts nothing");
    cr_assert_not_null(
        strstr(buf_text(&text), "request.userInfo.username == \"system:serviceaccount:heald:it\""));
}

Test(bounds, all_namespaces_are_bound_at_once)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    print(&text, "heald", NULL, 0);
    cr_assert_not_null(strstr(buf_text(&text), "kind: ClusterRoleBinding\nmetadata:\n  name: \"x-act\"\n"));
    cr_assert_null(strstr(buf_text(&text), "kind: RoleBinding"));
    cr_assert_not_null(strstr(buf_text(&text), "kind: User, name: \"heald\""));
}
