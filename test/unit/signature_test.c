/* test/unit/signature_test.c - signatures as the senders make them, by their published and precomputed
 * values. */
#include "receiver/http/signature.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "test/kit/sample.h"
#include "test/kit/tempdir.h"

#define SIGNED_S 1787217600ll /* when the samples were signed */
#define SIGNED_MS (SIGNED_S * 1000)

struct signing {
    enum source_kind kind;
    const char *secret, *file, *body, *headers, *signature_header, *timestamp_header;
    int64_t now_ms;
};

static const char *header(void *ctx, const char *name)
{
    static char values[4][200];
    static int at;
    size_t len = strlen(name);
    for (const char *line = ctx; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            char *value = values[at++ % 4];
            snprintf(value, sizeof values[0], "%.*s", (int)strcspn(line + len + 2, "\n"), line + len + 2);
            return value;
        }
    return NULL;
}

static enum signature_result checked(const struct signing *g)
{
    CLEANUP(tempdir_end) struct tempdir dir = tempdir_make();
    char path[400];
    struct err e = ERR_INIT;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/secret", dir.path);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fprintf(f, "%s\n", g->secret);
    fclose(f);
    struct signing_key key = { .file = path };
    cr_assert_eq(signing_key_refresh(&key, &e), ERR_OK, "%s", e.msg);
    char *text = g->file ? sample_bytes(g->file, &len) : NULL;
    const struct source_settings source = { .scope = { .kind = g->kind },
                                            .signature_header = (char *)(uintptr_t)g->signature_header,
                                            .timestamp_header = (char *)(uintptr_t)g->timestamp_header };
    const struct headers headers = { .get = header, .ctx = (void *)(uintptr_t)g->headers };
    const struct signed_body body = { .headers = &headers,
                                      .bytes = text ? text : g->body,
                                      .len = text ? len : strlen(g->body),
                                      .now_ms = g->now_ms };
    enum signature_result ret = signature_check(&source, &key, &body);
    free(text);
    signing_key_clear(&key);
    return ret;
}

#define WEBHOOK(signature)                                                                                   \
    "webhook-id: f5e5f430-f57b-4e6e-9fac-d9128cd7232f\nwebhook-timestamp: "                                  \
    "1787217600\nwebhook-signature: " signature
#define WHSEC "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define GITHUB_RUN "sha256=5f6016b9be40e147be27f3dbe4636f41ff0efe81ec9c2852ec7ff04f7efd43d1"
#define GRAFANA_PLAIN "f8bb8a7178b51f43388cb0229582bc48ceb547d879fa5594381bb564d791417a"
#define GRAFANA_TIMED "f8e78bdfebac22c6d3328ed56618c949158c6696b1d262d024d7b92c9f83cc1f"

Test(signature, published_and_precomputed_values_are_right)
{
    static const struct signing cases[] = {
        { SOURCE_GITHUB, "It's a Secret to Everybody", NULL, "Hello, World!",
          "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
          NULL, NULL, 0 },
        { SOURCE_CIRCLECI, "secret", NULL, "hello world",
          "circleci-signature: v1=734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a", NULL,
          NULL, 0 },
        { SOURCE_GRAFANA, "s3cr3t", NULL, "{\"a\":1}",
          "X-Grafana-Alerting-Signature: d42927434049e0b8c73ce887062238cc1c6bb6644bfe66e66d8dd0f30b85679e",
          NULL, NULL, 0 },
        { SOURCE_GRAFANA, "s3cr3t", NULL, "{\"a\":1}",
          "X-Sig: c27bf53028b5a09eacad0cd5b2a1248a12e2d83c69373645dbfc5578fb7d3ae1\nX-Time: 1700000000",
          "X-Sig", "X-Time", 1700000000000ll },
        { SOURCE_GITHUB, "gh-secret-1", "github-check_run-failure.json", NULL,
          "X-Hub-Signature-256: sha256=1c2930c6b4961a7a28cbe23512347a8c6ee4e8e8ac3f6624c4a0a0552fd51f5d",
          NULL, NULL, 0 },
        { SOURCE_GITHUB, "gh-secret-1", "github-deployment_status-failure.json", NULL,
          "X-Hub-Signature-256: sha256=347437b0c63a505767bec84f42bbd8e777bbf82515d084c183af3383f9ea178e",
          NULL, NULL, 0 },
        { SOURCE_GITHUB, "gh-secret-1", "github-ping.json", NULL,
          "X-Hub-Signature-256: sha256=2612845c31a290c79766c9dc7b72d0be6ca4157c5cdc3c64e0d7690c0f07718d",
          NULL, NULL, 0 },
        { SOURCE_GITHUB, "gh-secret-1", "github-workflow_job-failure.json", NULL,
          "X-Hub-Signature-256: sha256=15aba081409b80cffd4c934c441d33b0741cb8edf104b67e75fb9a7f12b043bb",
          NULL, NULL, 0 },
        { SOURCE_GITHUB, "gh-secret-1", "github-workflow_run-failure.json", NULL,
          "X-Hub-Signature-256: " GITHUB_RUN, NULL, NULL, 0 },
        { SOURCE_CIRCLECI, "cci-secret-1", "circleci-job-completed-failed.json", NULL,
          "circleci-signature: v1=631f595da630e8952da90992d332630c94381ecd1ecccfa4e51d0f3d0da56544", NULL,
          NULL, 0 },
        { SOURCE_CIRCLECI, "cci-secret-1", "circleci-workflow-completed-failed.json", NULL,
          "circleci-signature: v2=aa,v1=56fdd4cefc49541f99bb1f43dd981e478ca390c994f3aae561a4149c5ab77240",
          NULL, NULL, 0 },
        { SOURCE_GRAFANA, "graf-secret-1", "grafana-managed-firing.json", NULL,
          "X-Grafana-Alerting-Signature: " GRAFANA_PLAIN, NULL, NULL, 0 },
        { SOURCE_GRAFANA, "graf-secret-1", "grafana-managed-firing.json", NULL,
          "X-Grafana-Alerting-Signature: " GRAFANA_TIMED "\nX-Time: 1787217600", NULL, "X-Time", SIGNED_MS },
        { SOURCE_GITLAB, WHSEC, "gitlab-deployment-failed.json", NULL,
          WEBHOOK("v1,icvgnOMR9hIeFuBJJ3i0w3JHRnv7kH7J9bPLn/F+XV0="), NULL, NULL, SIGNED_MS },
        { SOURCE_GITLAB, WHSEC, "gitlab-pipeline-failed.json", NULL,
          WEBHOOK("v1a,xx v1,wjmdhlO7tXAyTudPNHVBST6rEm+ZVyaTcWrGMaaqzgU="), NULL, NULL, SIGNED_MS },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(checked(&cases[i]), SIGNATURE_GOOD, "case %zu: %s", i, cases[i].headers);
}

Test(signature, anything_else_is_wrong)
{
    static const char *const wrong[] = {
        "sha256=",
        "5f6016b9be40e147be27f3dbe4636f41ff0efe81ec9c2852ec7ff04f7efd43d1",
        "sha256=5f6016b9be40e147be27f3dbe4636f41ff0efe81ec9c2852ec7ff04f7efd43d",
        "sha256=5f6016b9be40e147be27f3dbe4636f41ff0efe81ec9c2852ec7ff04f7efd43d10",
        "sha256=5F6016B9BE40E147BE27F3DBE4636F41FF0EFE81EC9C2852EC7FF04F7EFD43D1",
        "sha1=5f6016b9be40e147be27f3dbe4636f41ff0efe81ec9c2852ec7ff04f7efd43d1",
        "sha256=4f6016b9be40e147be27f3dbe4636f41ff0efe81ec9c2852ec7ff04f7efd43d1",
    };
    struct signing g = { .kind = SOURCE_GITHUB,
                         .secret = "gh-secret-1",
                         .file = "github-workflow_run-failure.json" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char headers[200];
        snprintf(headers, sizeof headers, "X-Hub-Signature-256: %s", wrong[i]);
        g.headers = headers;
        cr_assert_eq(checked(&g), SIGNATURE_WRONG, "%s", wrong[i]);
    }
    g.headers = "X-Hub-Signature-256: " GITHUB_RUN;
    g.secret = "gh-secret-2";
    cr_assert_eq(checked(&g), SIGNATURE_WRONG, "another secret");
    g.secret = "gh-secret-1";
    g.file = "github-ping.json";
    cr_assert_eq(checked(&g), SIGNATURE_WRONG, "another body");
    g.headers = "X-Hub-Signature: sha1=aa";
    cr_assert_eq(checked(&g), SIGNATURE_ABSENT);
    g.kind = SOURCE_JENKINS;
    cr_assert_eq(checked(&g), SIGNATURE_ABSENT, "it does not sign");
}

Test(signature, an_old_one_and_one_from_the_future_are_no_good)
{
    struct signing g = { .kind = SOURCE_GRAFANA,
                         .secret = "graf-secret-1",
                         .file = "grafana-managed-firing.json",
                         .headers = "X-Grafana-Alerting-Signature: " GRAFANA_TIMED "\nX-Time: 1787217600",
                         .timestamp_header = "X-Time" };
    static const struct {
        int64_t off_ms;
        enum signature_result wanted;
    } cases[] = {
        { SIGNATURE_AGE_MS, SIGNATURE_GOOD },  { SIGNATURE_AGE_MS + 1, SIGNATURE_OLD },
        { -SIGNATURE_AGE_MS, SIGNATURE_GOOD }, { -SIGNATURE_AGE_MS - 1, SIGNATURE_OLD },
        { 86400000ll * 365, SIGNATURE_OLD },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        g.now_ms = SIGNED_MS + cases[i].off_ms;
        cr_assert_eq(checked(&g), cases[i].wanted, "%lld ms later", (long long)cases[i].off_ms);
    }
    g.now_ms = SIGNED_MS;
    g.headers = "X-Grafana-Alerting-Signature: " GRAFANA_TIMED "\nX-Time: 1787217601";
    cr_assert_eq(checked(&g), SIGNATURE_WRONG, "another time was signed");
    g.headers = "X-Grafana-Alerting-Signature: " GRAFANA_PLAIN;
    cr_assert_eq(checked(&g), SIGNATURE_ABSENT, "the time cannot be left out");
    g.headers = WEBHOOK("v1,wjmdhlO7tXAyTudPNHVBST6rEm+ZVyaTcWrGMaaqzgU=");
    g = (struct signing){ .kind = SOURCE_GITLAB,
                          .secret = WHSEC,
                          .file = "gitlab-pipeline-failed.json",
                          .headers = g.headers,
                          .now_ms = SIGNED_MS + SIGNATURE_AGE_MS + 1 };
    cr_assert_eq(checked(&g), SIGNATURE_OLD);
}

Test(signature, a_secret_is_one_line_and_not_too_long)
{
    CLEANUP(tempdir_end) struct tempdir dir = tempdir_make();
    char path[400], text[2 * SIGNING_KEY_MAX];
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s/secret", dir.path);
    struct signing_key key = { .file = path };
    cr_assert_eq(signing_key_refresh(&key, &e), ERR_NOT_FOUND);
    static const struct {
        const char *text;
        enum err_code code;
    } cases[] = {
        { "", ERR_INVALID },          { " \n", ERR_INVALID }, { "a\nb", ERR_INVALID },
        { "whsec_%%%", ERR_INVALID }, { "x", ERR_OK },        { "two words\n", ERR_OK },
    };
    for (size_t i = 0; i <= sizeof cases / sizeof cases[0]; i++) {
        bool last = i == sizeof cases / sizeof cases[0];
        memset(text, 'x', sizeof text);
        text[SIGNING_KEY_MAX + 1] = '\0';
        FILE *f = fopen(path, "w");
        fputs(last ? text : cases[i].text, f);
        fclose(f);
        signing_key_clear(&key);
        cr_assert_eq(signing_key_refresh(&key, &e), last ? ERR_LIMIT : cases[i].code, "%zu", i);
        cr_assert_eq(key.usable, !last && cases[i].code == ERR_OK);
    }
}
