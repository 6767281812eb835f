/* receiver/runtime/settings_keys.c - the keys of heald.cfg: name, type, range, default, help. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actions/verify/probe.h"
#include "receiver/runtime/settings_check.h"
#include "receiver/runtime/settings_internal.h"

#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)
#define KIB 1024LL
#define MIB (1024 * KIB)
#define NAME_MAX_BYTES 63 /* SOURCE_NAME_SIZE, CLUSTER_NAME_SIZE, input.who */

static_assert(SOURCE_NAME_SIZE == NAME_MAX_BYTES + 1 && CLUSTER_NAME_SIZE == NAME_MAX_BYTES + 1, "names fit");
static_assert(sizeof(enum source_kind) == sizeof(int), "choices are ints");
#define PAIR(list, list_len)                                                                                 \
    static_assert(offsetof(struct settings, list_len) == offsetof(struct settings, list) + sizeof(void *),   \
                  "a config_list")
PAIR(sources, sources_len);
PAIR(operators, operators_len);
PAIR(clusters, clusters_len);
PAIR(probe_hosts, probe_hosts_len);

#define NAME_KEY(type_of, what)                                                                              \
    {                                                                                                        \
        .name = "name", .type = CONFIG_STRING, .required = true, .min = 1, .max = NAME_MAX_BYTES,            \
        .offset = offsetof(type_of, name), .help = (what)                                                    \
    }
#define LINE_KEY(type_of)                                                                                    \
    {                                                                                                        \
        .name = "line", .type = CONFIG_LINE, .offset = offsetof(type_of, line), .help = "The line."          \
    }
#define STRING_KEY(key, type_of, field, text)                                                                \
    {                                                                                                        \
        .name = (key), .type = CONFIG_STRING, .min = 1, .offset = offsetof(type_of, field), .help = (text)   \
    }

static const struct config_key source_limit_keys[] = {
    { .name = "rate",
      .type = CONFIG_INT,
      .none = true,
      .min = 1,
      .max = 100000,
      .offset = offsetof(struct source_limits, rate),
      .help = "Deliveries a second. Default `\"none\"` for Alertmanager and Grafana, else 100." },
    { .name = "burst",
      .type = CONFIG_INT,
      .none = true,
      .min = 1,
      .max = 1000000,
      .offset = offsetof(struct source_limits, burst),
      .help = "Deliveries at once, after a silence. Default ten times `rate`." },
    { .name = "share",
      .type = CONFIG_PERCENT,
      .min = 1,
      .max = 100,
      .offset = offsetof(struct source_limits, share),
      .help = "Its most of `limits.in_flight`. Default 50% where there are several sources, so that one of "
              "them leaves "
              "room for the others." },
    { .name = NULL },
};

#define PATH_KEY(key, field, text)                                                                           \
    {                                                                                                        \
        .name = (key), .type = CONFIG_STRING, .min = 1, .max = 500,                                          \
        .offset = offsetof(struct mapping_settings, field), .example = "\"check.name\"", .help = (text)      \
    }
#define PATHS_KEY(key, field, text)                                                                          \
    {                                                                                                        \
        .name = (key), .type = CONFIG_CUSTOM, .parse = settings_parse_paths, .unit = "group of paths",       \
        .offset = offsetof(struct mapping_settings, field), .example = "{ alertname = \"check.name\"; }",    \
        .help = (text)                                                                                       \
    }
static const struct config_key map_keys[] = {
    PATHS_KEY(
        "labels", labels,
        "Labels, and the paths of their values in the body: `check.name`, `checks[0].id`, `labels['a.b']`."),
    PATHS_KEY("annotations", annotations, "The same for annotations."),
    PATH_KEY("status", status, "Path of the status. Left out: every body is an alert that fires."),
    { .name = "firing",
      .type = CONFIG_STRINGS,
      .offset = offsetof(struct mapping_settings, firing),
      .help = "Words of the status that say that it fires. Default `firing`, `failed`, `failure`, `fail`, "
              "`error`, "
              "`down`, `critical`, `alerting`, `degraded`, `unhealthy`, `problem`, `triggered`." },
    { .name = "resolved",
      .type = CONFIG_STRINGS,
      .offset = offsetof(struct mapping_settings, resolved),
      .help =
          "Words that say that it is over. Default `resolved`, `ok`, `success`, `succeeded`, `passed`, `up`, "
          "`healthy`, `recovered`, `closed`. Nothing comes of any other word." },
    PATH_KEY("starts", starts,
             "Path of the time: RFC 3339, or seconds or milliseconds since 1970. Left out: when it arrives."),
    PATH_KEY("id", id,
             "Path of the delivery's id, where no header `Idempotency-Key` or `webhook-id` has it. "
             "Default `id`."),
    { .name = "run",
      .type = CONFIG_STRINGS,
      .offset = offsetof(struct mapping_settings, run),
      .help = "Labels that single runs of the same thing do not share: then each body tells of one run, and "
              "one that "
              "went well ends what earlier ones opened. Left out: an alert lasts until a body with equal "
              "labels ends "
              "it." },
    { .name = NULL },
};

static const struct config_key source_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .max = NAME_MAX_BYTES,
      .offset = offsetof(struct source_settings, scope.name),
      .help = "Its name in rules, metrics and logs." },
    { .name = "type",
      .type = CONFIG_CHOICE,
      .choices = "alertmanager|grafana|github|gitlab|jenkins|azure|circleci|argocd|cloudevents|generic",
      .default_text = "alertmanager",
      .offset = offsetof(struct source_settings, scope.kind),
      .help = "What it sends, to `/webhook/TYPE`; to `/webhook/generic/NAME` what `map` says." },
    STRING_KEY(
        "token_file", struct source_settings, token_file,
        "File with its bearer token, or the token that GitLab sends as `X-Gitlab-Token`; read again when it "
        "changes."),
    STRING_KEY("header", struct source_settings, header,
               "Header in which the token of `token_file` comes, instead of `Authorization`."),
    STRING_KEY(
        "secret_file", struct source_settings, secret_file,
        "File with the secret by which it signs each body (HMAC-SHA256: Grafana, GitHub, GitLab, CircleCI); "
        "read again when it changes."),
    STRING_KEY("signature_header", struct source_settings, signature_header,
               "Header of the signature, where a Grafana contact point names another one than "
               "`X-Grafana-Alerting-Signature`."),
    STRING_KEY(
        "timestamp_header", struct source_settings, timestamp_header,
        "Header of the signature's time, as a Grafana contact point names it: deliveries older than 5m are "
        "refused. Without it a delivery can be repeated by whoever saw it."),
    STRING_KEY("user", struct source_settings, user, "User of basic authentication."),
    STRING_KEY("password_file", struct source_settings, password_file,
               "File with the password of `user`; read again when it changes."),
    SOURCE_SCOPE_KEYS(offsetof(struct source_settings, scope)),
    { .name = "map",
      .type = CONFIG_GROUP,
      .keys = map_keys,
      .offset = offsetof(struct source_settings, map),
      .help = "Of a generic source, and of CloudEvents with own data: what its bodies mean." },
    { .name = "limit",
      .type = CONFIG_GROUP,
      .keys = source_limit_keys,
      .offset = offsetof(struct source_settings, limits),
      .help = "How much it may send; more is answered 503 with Retry-After." },
    LINE_KEY(struct source_settings),
    { .name = NULL },
};

static const struct config_key operator_keys[] = {
    NAME_KEY(struct operator_settings, "Who this is in facts and logs."),
    { .name = "token_file",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .offset = offsetof(struct operator_settings, token_file),
      .help = "File with the bearer token; read again when it changes." },
    { .name = "roles",
      .type = CONFIG_CUSTOM,
      .required = true,
      .parse = settings_parse_roles,
      .offset = offsetof(struct operator_settings, roles),
      .example = "[ \"approve\" ]",
      .help = "Any of `\"read\"`, `\"approve\"`, `\"act\"`, `\"admin\"`; none of them implies another." },
    { .name = "groups",
      .type = CONFIG_STRINGS,
      .offset = offsetof(struct operator_settings, groups),
      .help =
          "With the role `\"approve\"`: which approvals he may give, by the policy's `role`: `[ \"sre\" ]`. "
          "What names no role, everybody with `\"approve\"` may." },
    { .name = "namespaces",
      .type = CONFIG_STRINGS,
      .len_max = 1000,
      .offset = offsetof(struct operator_settings, namespaces),
      .example = "[ \"shop\" ]",
      .help = "He sees incidents of these namespaces alone, and speaks of them alone; left out: all." },
    LINE_KEY(struct operator_settings),
    { .name = NULL },
};

static const struct config_key cluster_keys[] = {
    NAME_KEY(struct cluster_settings, "What alerts and policy call it: the label `cluster`."),
    STRING_KEY("kubeconfig", struct cluster_settings, kubeconfig,
               "Credentials; left out: the service account of the pod that heald runs in."),
    STRING_KEY("context", struct cluster_settings, context,
               "Context of the kubeconfig; left out: its current-context."),
    { .name = "namespaces",
      .type = CONFIG_STRINGS,
      .offset = offsetof(struct cluster_settings, namespaces),
      .help = "Namespaces to watch; left out: all." },
    LINE_KEY(struct cluster_settings),
    { .name = NULL },
};

#define URL_KEY                                                                                              \
    {                                                                                                        \
        .name = "url", .type = CONFIG_STRING, .required = true, .min = 1, .max = 2048,                       \
        .offset = offsetof(struct endpoint_settings, url), .help = "Its address, `http://` or `https://`."   \
    }
#define TOKEN_KEY                                                                                            \
    STRING_KEY("token_file", struct endpoint_settings, token_file,                                           \
               "File with a bearer token; read again when it changes.")
#define CA_KEY                                                                                               \
    STRING_KEY("ca_file", struct endpoint_settings, ca_file,                                                 \
               "Certificates to trust, PEM; left out: the system's.")
static const struct config_key query_keys[] = {
    URL_KEY,          TOKEN_KEY,
    CA_KEY,           STRING_KEY("tenant", struct endpoint_settings, tenant, "Sent as `X-Scope-OrgID`."),
    { .name = NULL },
};
static const struct config_key endpoint_keys[] = { URL_KEY, TOKEN_KEY, CA_KEY, { .name = NULL } };

static const struct config_key alerts_keys[] = {
    { .name = "settle",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = 24LL * 60 * MINUTE_MS,
      .default_text = "10m",
      .offset = offsetof(struct alerts_settings, settle_ms),
      .help = "How long an alert goes on firing after what it complained of has ended: the longest range of "
              "its query, `keep_firing_for` and two evaluations. Earlier, an alert that still fires says "
              "nothing about a repair. Prometheus is asked for each alert's own, where it is configured." },
    { .name = "group_interval",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = 24LL * 60 * MINUTE_MS,
      .default_text = "5m",
      .offset = offsetof(struct alerts_settings, group_interval_ms),
      .help = "Alertmanager's: how much later a resolution is delivered. Counts where no Prometheus is "
              "configured." },
    { .name = NULL },
};

#define LIMIT_KEY(key, kind, least, most, text_default, field, text)                                         \
    {                                                                                                        \
        .name = (key), .type = (kind), .min = (least), .max = (most), .default_text = (text_default),        \
        .offset = offsetof(struct limits, field), .help = (text)                                             \
    }
static const struct config_key limits_keys[] = {
    LIMIT_KEY("body", CONFIG_SIZE, KIB, 4096 * MIB, "256MiB", body_bytes,
              "Of one request. Alertmanager sends a group as one body, and repeats a refused one for ever."),
    LIMIT_KEY("in_flight", CONFIG_SIZE, MIB, 4096 * MIB, "8MiB", in_flight_bytes,
              "Of all bodies together, read and not yet committed; beyond it deliveries get 503."),
    LIMIT_KEY("signed_body", CONFIG_SIZE, KIB, 64 * MIB, "4MiB", signed_bytes,
              "Of one request that is signed: it is kept whole until its signature was verified."),
    LIMIT_KEY("alert", CONFIG_SIZE, KIB, MIB, "64KiB", alert_bytes,
              "Of one alert's text, and of any one value of a body."),
    LIMIT_KEY("labels", CONFIG_INT, 1, 1024, "64", labels, "Labels of one alert, and annotations."),
    LIMIT_KEY("label", CONFIG_SIZE, 64, MIB, "4KiB", label_bytes, "Of a label's name, and of its value."),
    LIMIT_KEY("annotation", CONFIG_SIZE, 64, MIB, "16KiB", annotation_bytes, "Of an annotation's value."),
    LIMIT_KEY("depth", CONFIG_INT, 4, 64, "16", depth, "Of arrays and objects in a body."),
    LIMIT_KEY("connections", CONFIG_INT, 4, 10000, "256", connections, "Open at the same time."),
    LIMIT_KEY("header_time", CONFIG_DURATION, SECOND_MS, 5 * MINUTE_MS, "10s", header_ms,
              "From the connection, or the first byte of a request, to the end of its headers."),
    LIMIT_KEY(
        "body_time", CONFIG_DURATION, SECOND_MS, 60 * MINUTE_MS, "60s", body_ms,
        "From the end of the headers to the end of the body, without the time that heald itself takes."),
    LIMIT_KEY("drain_time", CONFIG_DURATION, SECOND_MS, 10 * MINUTE_MS, "25s", drain_ms,
              "From SIGTERM to the end of the process."),
    LIMIT_KEY("workers", CONFIG_INT, 2, 64, "6", workers,
              "Threads that call clusters, Prometheus and what else is asked."),
    LIMIT_KEY("journal", CONFIG_SIZE, 4 * MIB, 1024LL * 1024 * MIB, "1GiB", journal_bytes,
              "Of the journal's file: when more is in use, the oldest facts are removed before `retain` is "
              "over."),
    LIMIT_KEY("snapshot", CONFIG_INT, 100, 10000000, "50000", snapshot_facts,
              "Facts from one snapshot of the state to the next: so many are read at a start."),
    { .name = NULL },
};

static const struct config_key log_keys[] = {
    { .name = "level",
      .type = CONFIG_CHOICE,
      .choices = "debug|info|warn|error",
      .default_text = "info",
      .offset = offsetof(struct settings, log_level),
      .help = "Least level that is written." },
    { .name = "format",
      .type = CONFIG_CHOICE,
      .choices = "logfmt|json",
      .default_text = "logfmt",
      .offset = offsetof(struct settings, log_format),
      .help = "How a line is written." },
    { .name = NULL },
};

const struct config_key settings_tls_keys[] = {
    { .name = "certificate",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .offset = offsetof(struct settings, tls_certificate),
      .help = "File with the certificate and its chain, PEM; read again when it changes." },
    { .name = "key",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .offset = offsetof(struct settings, tls_key),
      .help = "File with the private key, PEM." },
    { .name = NULL },
};

const struct config_key settings_keys[] = {
    { .name = "listen",
      .type = CONFIG_STRING,
      .default_text = SETTINGS_LISTEN_DEFAULT,
      .min = 1,
      .offset = offsetof(struct settings, listen),
      .help = "Address and port. Anything but loopback needs credentials on every source, an operator, and "
              "`tls`." },
    { .name = "journal",
      .type = CONFIG_STRING,
      .default_text = "journal.db",
      .min = 1,
      .offset = offsetof(struct settings, journal),
      .help = "File of the journal, on a local file system; created when absent." },
    { .name = "retain",
      .type = CONFIG_DURATION,
      .default_text = "90d",
      .min = 60 * MINUTE_MS,
      .max = 3650LL * 24 * 60 * MINUTE_MS,
      .offset = offsetof(struct settings, retain_ms),
      .help = "How long the facts of an incident are kept. What is older goes; its row in the "
              "table `incident` stays." },
    { .name = "policy",
      .type = CONFIG_STRING,
      .default_text = "policy.cfg",
      .min = 1,
      .offset = offsetof(struct settings, policy),
      .help = "File of the policy." },
    { .name = "tls",
      .type = CONFIG_CUSTOM,
      .parse = settings_parse_tls,
      .keys = settings_tls_keys,
      .example = "\"terminated\"",
      .help = "Certificate files, or `\"terminated\"` when a proxy in front does TLS, or `\"off\"`. Default "
              "`\"off\"`." },
    { .name = "tls_proxies",
      .type = CONFIG_STRINGS,
      .len_max = 64,
      .offset = offsetof(struct settings, tls_proxies),
      .help = "With `tls = \"terminated\"`: the addresses or networks that may connect." },
    { .name = "sources",
      .type = CONFIG_LIST,
      .keys = source_keys,
      .item_size = sizeof(struct source_settings),
      .len_max = 100,
      .check = settings_check_source,
      .offset = offsetof(struct settings, sources),
      .help = "Who may send alerts, and what they may claim. Left out: one, `alertmanager`, without a "
              "credential." },
    { .name = "operators",
      .type = CONFIG_LIST,
      .keys = operator_keys,
      .item_size = sizeof(struct operator_settings),
      .len_max = 100,
      .check = settings_check_operator,
      .offset = offsetof(struct settings, operators),
      .help = "People and robots that may look and act. Left out: on loopback anybody may look, nobody may "
              "act." },
    { .name = "clusters",
      .type = CONFIG_LIST,
      .keys = cluster_keys,
      .item_size = sizeof(struct cluster_settings),
      .len_max = 16,
      .check = settings_check_cluster,
      .offset = offsetof(struct settings, clusters),
      .help = "The clusters that are healed." },
    { .name = "prometheus",
      .type = CONFIG_GROUP,
      .keys = query_keys,
      .check = settings_check_endpoint,
      .offset = offsetof(struct settings, prometheus),
      .help =
          "Asked whether an alert fires and whether it went quiet, and what `promql` of the policy asks." },
    { .name = "loki",
      .type = CONFIG_GROUP,
      .keys = query_keys,
      .check = settings_check_endpoint,
      .offset = offsetof(struct settings, loki),
      .help = "Asked what `loki` of the policy asks." },
    { .name = "alertmanager",
      .type = CONFIG_GROUP,
      .keys = query_keys,
      .check = settings_check_endpoint,
      .offset = offsetof(struct settings, alertmanager),
      .help = "Asked whether an alert is silenced or inhibited, and whether it is still known there." },
    { .name = "probe_hosts",
      .type = CONFIG_LIST,
      .keys = endpoint_keys,
      .item_size = sizeof(struct endpoint_settings),
      .len_max = PROBE_HOSTS_MAX,
      .check = settings_check_endpoint,
      .offset = offsetof(struct settings, probe_hosts),
      .help =
          "What `http` of the policy may ask: same scheme, host and port, and a path at or below that of "
          "`url`. Nothing else is asked. Credentials are sent only where `token_file` is written; redirects "
          "are not followed." },
    { .name = "grafana",
      .type = CONFIG_GROUP,
      .keys = endpoint_keys,
      .check = settings_check_endpoint,
      .offset = offsetof(struct settings, grafana),
      .help = "Told of every incident as an annotation." },
    { .name = "alerts",
      .type = CONFIG_GROUP,
      .keys = alerts_keys,
      .offset = offsetof(struct settings, alerts),
      .help = "How alerts behave when Prometheus cannot be asked for an alert's own timing." },
    { .name = "limits",
      .type = CONFIG_GROUP,
      .keys = limits_keys,
      .offset = offsetof(struct settings, limits),
      .help = "Maxima; reaching one is counted in `heald_limit_reached_total`." },
    { .name = "log",
      .type = CONFIG_GROUP,
      .keys = log_keys,
      .help = "Log lines, written to standard error." },
    { .name = NULL },
};
