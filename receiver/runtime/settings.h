/* receiver/runtime/settings.h - heald.cfg: how the process runs. Parsed by tables (rules/policy/config.h),
 * immutable after loading. */
#ifndef RECEIVER_RUNTIME_SETTINGS_H
#define RECEIVER_RUNTIME_SETTINGS_H

#include "receiver/runtime/log.h"
#include "rules/policy/source.h"

enum tls_mode { TLS_OFF, TLS_FILES, TLS_TERMINATED };
enum operator_role { ROLE_READ = 1, ROLE_APPROVE = 2, ROLE_ACT = 4, ROLE_ADMIN = 8 };

struct source_limits {   /* INT64_MAX: none */
    int64_t rate, burst; /* deliveries a second, and at once */
    int64_t share;       /* percent of limits.in_flight */
};
struct mapping_settings {       /* of bodies of any shape: paths into them (receiver/decode/fields.h) */
    char *status, *starts, *id; /* NULL: none */
    struct config_strings firing, resolved; /* words of the status; empty: the usual ones */
    struct config_strings run;              /* labels of one run; empty: alerts that last */
    struct map labels, annotations;         /* name to path */
};
struct source_settings {
    struct source scope;                       /* name, kind (key `type`), force, only, may */
    char *token_file;                          /* bearer, or in `header`; re-read when it changes */
    char *header;                              /* NULL: Authorization */
    char *user, *password_file;                /* basic */
    char *secret_file;                         /* key of the body's signature; re-read when it changes */
    char *signature_header, *timestamp_header; /* NULL: as its type sends it, or none */
    struct source_limits limits;
    struct mapping_settings map; /* generic and CloudEvents */
    int line;
};
struct operator_settings {
    char *name;
    char *token_file;
    unsigned roles;                   /* enum operator_role, each written out: none implies another */
    struct config_strings groups;     /* what he may approve for: a gate's `role` */
    struct config_strings namespaces; /* sees and speaks of these alone; empty: all */
    int line;
};
struct cluster_settings {
    char *name, *kubeconfig, *context; /* kubeconfig NULL: in-cluster */
    struct config_strings namespaces;  /* to watch; empty: all */
    int line;
};
struct endpoint_settings { /* url NULL: not configured */
    char *url, *token_file, *ca_file, *tenant;
};
struct limits {
    int64_t body_bytes;      /* of one request of an Alertmanager source; default 256 MiB */
    int64_t in_flight_bytes; /* of all bodies together, read and not yet committed; default 8 MiB */
    int64_t signed_bytes;    /* of one request that is signed: it is kept whole; default 4 MiB */
    int64_t alert_bytes;     /* of one alert's text, and of any one value; default 64 KiB */
    int64_t labels;          /* labels (and annotations) per alert; default 64 */
    int64_t label_bytes;     /* name or value; default 4 KiB; annotations 16 KiB */
    int64_t annotation_bytes;
    int64_t depth;          /* JSON; default 16 */
    int64_t connections;    /* default 256 */
    int64_t header_ms;      /* for headers; default 10s */
    int64_t body_ms;        /* for the body, from its first byte to its last; default 60s */
    int64_t drain_ms;       /* SIGTERM to exit; default 25s */
    int64_t workers;        /* default 6 */
    int64_t journal_bytes;  /* above it facts are removed before `retain` is over; default 1 GiB */
    int64_t snapshot_facts; /* a snapshot each so many; default 50,000 */
};
struct alerts_settings {       /* how alerts behave when nobody can be asked */
    int64_t settle_ms;         /* default 10m */
    int64_t group_interval_ms; /* default 5m */
};
struct settings {
    char *file;             /* as given */
    char *listen;           /* "127.0.0.1:9798", "[::1]:9798" */
    char *journal, *policy; /* files; relative to heald.cfg's folder */
    int64_t retain_ms;      /* facts of closed incidents that are older are removed */
    int tls;                /* enum tls_mode */
    char *tls_certificate, *tls_key;
    struct config_strings tls_proxies; /* for "terminated": addresses that may connect */
    struct source_settings *sources;
    size_t sources_len;
    struct operator_settings *operators;
    size_t operators_len;
    struct cluster_settings *clusters;
    size_t clusters_len;
    struct endpoint_settings prometheus, loki, alertmanager, grafana;
    struct endpoint_settings *probe_hosts; /* url with the path below which may be asked */
    size_t probe_hosts_len;
    struct alerts_settings alerts;
    struct limits limits;
    int log_level, log_format;
};

#define SETTINGS_LISTEN_DEFAULT "127.0.0.1:9798"

/* Read the file and everything beside it that can be checked without acting. All errors at once, in
 * *ret_errors (see config.h). Names are unique; files that are named exist and can be read; token files are
 * not empty. Relative paths become relative to the file's folder. Without `sources` there is one,
 * "alertmanager", without a credential. `file` NULL: the defaults, as from an empty file in the current
 * folder. What the command line says is put over the result by settings_override(); then settings_check(). */
enum err_code settings_load(struct settings **ret, const char *file, struct buf *ret_errors, struct err *e);
/* The command line: each may be NULL. Paths are relative to the current folder. ERR_NOMEM. */
enum err_code settings_override(struct settings *s, const char *policy, const char *journal,
                                const char *listen, struct err *e);
/* Checks across keys: a listener that is not loopback needs credentials on every source, an operator, and TLS
 * (or tls = "terminated" with proxies); certificate and key fit each other; no credential stands for two. One
 * line an error in *ret_errors. */
enum err_code settings_check(const struct settings *s, struct buf *ret_errors, struct err *e);
/* How long an alert goes on firing, when no Prometheus says it. */
static inline int64_t settings_settle_ms(const struct settings *s)
{
    return s->alerts.settle_ms + (s->prometheus.url ? 0 : s->alerts.group_interval_ms);
}
struct settings *settings_free(struct settings *s);
static inline void settings_freep(struct settings **s)
{
    *s = settings_free(*s);
}

extern const struct config_key settings_keys[];

#endif
