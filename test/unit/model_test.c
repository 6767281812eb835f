/* test/unit/model_test.c - alerts and targets. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rules/model/alert.h"
#include "rules/model/target.h"
#include "test/kit/fault.h"

static void label(struct map *m, const char *name, const char *value)
{
    struct err e = ERR_INIT;
    cr_assert_eq(map_set(m, name, value, &e), ERR_OK, "%s", e.msg);
}

/* Check values of Prometheus' common/model. */
Test(model, fingerprint_of_no_labels_is_the_offset_of_fnv)
{
    struct map labels = MAP_INIT;
    cr_assert_eq(alert_fingerprint(&labels), 0xcbf29ce484222325u);
}

Test(model, fingerprint_equals_prometheus)
{
    CLEANUP(map_release) struct map one = MAP_INIT, utf8 = MAP_INIT, four = MAP_INIT;
    label(&one, "alertname", "KubePodCrashLooping");
    cr_assert_eq(alert_fingerprint(&one), 0x477ba8ef86d54987u);
    label(&utf8, "alertname", "Grüße");
    label(&utf8, "severity", "info");
    cr_assert_eq(alert_fingerprint(&utf8), 0x33bd45ec05954e7eu);
    label(&four, "severity", "warning");
    label(&four, "pod", "checkout-7c9f8d6b5-x2x9k");
    label(&four, "namespace", "shop");
    label(&four, "alertname", "KubePodCrashLooping");
    cr_assert_eq(alert_fingerprint(&four), 0xbb656ea97154bffcu,
                 "labels count sorted by name, whatever order they came in");
}

Test(model, fingerprint_keeps_name_and_value_apart)
{
    CLEANUP(map_release) struct map a = MAP_INIT, b = MAP_INIT;
    label(&a, "ab", "c");
    label(&b, "a", "bc");
    cr_assert_neq(alert_fingerprint(&a), alert_fingerprint(&b));
}

Test(model, label_that_is_absent_is_empty)
{
    CLEANUP(alert_release) struct alert a = ALERT_INIT;
    cr_assert_str_eq(alert_label(&a, "pod"), "");
    label(&a.labels, "pod", "x");
    cr_assert_str_eq(alert_label(&a, "pod"), "x");
}

static void fill(struct alert *a)
{
    snprintf(a->source, sizeof a->source, "alertmanager");
    a->status = ALERT_RESOLVED;
    a->starts_ms = 5;
    a->ends_ms = 7;
    label(&a->labels, "alertname", "X");
    label(&a->annotations, "summary", "it is");
}

Test(model, copy_is_equal_and_independent)
{
    CLEANUP(alert_release) struct alert from = ALERT_INIT, copy = ALERT_INIT;
    fill(&from);
    cr_assert_eq(alert_copy(&copy, &from, NULL), ERR_OK);
    alert_release(&from);
    cr_assert_str_eq(copy.source, "alertmanager");
    cr_assert_eq(copy.status, ALERT_RESOLVED);
    cr_assert_eq(copy.starts_ms, 5);
    cr_assert_eq(copy.ends_ms, 7);
    cr_assert_str_eq(alert_label(&copy, "alertname"), "X");
    cr_assert_str_eq(map_get(&copy.annotations, "summary"), "it is");
}

Test(model, copy_without_memory_leaves_the_result_untouched)
{
    CLEANUP(alert_release) struct alert from = ALERT_INIT, copy = ALERT_INIT;
    fill(&from);
    copy.starts_ms = 99;
    unsigned n = 0;
    do {
        fault_malloc_at(++n);
        enum err_code code = alert_copy(&copy, &from, NULL);
        cr_assert(code == ERR_OK || (code == ERR_NOMEM && copy.starts_ms == 99), "allocation %u", n);
    } while (fault_hit());
    cr_assert_gt(n, 2u, "labels and annotations both take memory");
}

Test(model, release_twice_is_fine)
{
    struct alert a = ALERT_INIT;
    fill(&a);
    alert_release(&a);
    alert_release(&a);
    cr_assert_eq(a.labels.len, 0);
    cr_assert_eq(a.source[0], '\0');
}

static const struct target sample = {
    .cluster = "a", .namespace = "shop", .kind = "Deployment", .name = "checkout", .uid = "1"
};

Test(model, targets_differ_by_each_part_but_the_uid)
{
    struct target other = sample;
    snprintf(other.uid, sizeof other.uid, "2");
    cr_assert(target_same(&sample, &other), "the uid is not looked at");
    char *parts[] = { other.cluster, other.namespace, other.kind, other.name };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char kept = parts[i][0];
        parts[i][0] = '!';
        cr_assert_not(target_same(&sample, &other), "part %zu", i);
        parts[i][0] = kept;
    }
}

Test(model, target_reads_namespace_kind_name)
{
    char text[TARGET_TEXT_SIZE];
    cr_assert_str_eq(target_format(text, &sample), "shop/Deployment/checkout");
}

Test(model, longest_target_fits_its_text)
{
    struct target t = { .uid = "" };
    char text[TARGET_TEXT_SIZE];
    memset(t.namespace, 'n', sizeof t.namespace - 1);
    memset(t.kind, 'k', sizeof t.kind - 1);
    memset(t.name, 'o', sizeof t.name - 1);
    cr_assert_eq(strlen(target_format(text, &t)), strlen(t.namespace) + strlen(t.kind) + strlen(t.name) + 2);
}
