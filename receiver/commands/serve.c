/* heald serve: run the daemon. */
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/http/http.h"
#include "receiver/commands/commands.h"
#include "receiver/http/server.h"
#include "receiver/runtime/supervisor.h"
#include "rules/base/timetext.h"

#define POLICY_LOOK_S 1 /* a changed policy file is read after two looks */

struct daemon {
    struct settings *settings;
    struct journal *journal;
    struct clock *clock;
    struct metrics *metrics;
    struct loop *loop;
    struct server *server;
    sigset_t signals;
};

struct serve_options {
    const char *config, *policy, *journal, *listen;
};

/* "heald: WHERE: WHAT": the message says both; several errors come as blocks. */
static int fail(const char *what, const struct err *e, const struct buf *errors)
{
    if (errors->len)
        fprintf(stderr, "%s", buf_text(errors));
    fprintf(stderr, "heald: %s: %s\n", what, e->msg);
    return 1;
}

static enum err_code load_settings(struct daemon *d, const struct serve_options *o, struct buf *errors,
                                   struct err *e)
{
    enum err_code code = settings_load(&d->settings, o->config, errors, e);
    if (code)
        return code;
    code = settings_override(d->settings, o->policy, o->journal, o->listen, e);
    return code ? code : settings_check(d->settings, errors, e);
}

static enum err_code open_all(struct daemon *d, struct buf *errors, struct err *e)
{
    bool created = false;
    enum err_code code = journal_open(&d->journal, d->settings->journal, &created, e);
    if (code)
        return code;
    d->clock = clock_new(journal_last_at_ms(d->journal), NULL);
    d->metrics = metrics_new();
    if (!d->clock || !d->metrics)
        return err_set(e, ERR_NOMEM, "no memory");
    metrics_set(d->metrics, METRIC_BUILD_INFO, HEALD_VERSION, NULL, 1);
    struct loop_parts parts = { .settings = d->settings,
                                .policy_file = d->settings->policy,
                                .journal = d->journal,
                                .journal_created = created || journal_last_seq(d->journal) == 0,
                                .clock = d->clock,
                                .metrics = d->metrics };
    code = loop_new(&d->loop, &parts, errors, e);
    if (!code)
        code = loop_start(d->loop, e);
    if (!code)
        code = server_new(&d->server, d->settings, d->loop, d->metrics, e);
    return code;
}

static void reload(struct daemon *d)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    supervisor_reloading();
    enum err_code code = loop_reload(d->loop, &errors, &e);
    supervisor_ready();
    if (code == ERR_OK)
        return;
    log_error("reload refused: the running policy stays in force", "error", e.msg, "details",
              buf_text(&errors), NULL);
}

/* The core renews its status at least once a second: while it does, the supervisor hears so. */
static void say_alive(struct daemon *d, char last[TIME_TEXT_SIZE])
{
    CLEANUP(buf_release) struct buf status = BUF_INIT;
    loop_status(d->loop, &status);
    const char *now = strstr(buf_text(&status), "\"now\":\"");
    if (!now || strncmp(now + 7, last, TIME_TEXT_SIZE - 8) == 0)
        return;
    snprintf(last, TIME_TEXT_SIZE, "%.*s", TIME_TEXT_SIZE - 8, now + 7);
    supervisor_alive();
}

/* Until SIGTERM or SIGINT. Reloads on SIGHUP, and when a file of the policy is another one. */
static void wait_for_end(struct daemon *d)
{
    char last[TIME_TEXT_SIZE] = "";
    bool watched = supervisor_watchdog_ms() > 0;
    for (;;) {
        int signal = sigtimedwait(&d->signals, NULL, &(struct timespec){ .tv_sec = POLICY_LOOK_S });
        if (signal == SIGTERM || signal == SIGINT) {
            log_info("shutting down", "signal", strsignal(signal), NULL);
            supervisor_stopping();
            return;
        }
        if (watched)
            say_alive(d, last);
        if (loop_policy_changed(d->loop) || signal == SIGHUP)
            reload(d);
    }
}

static void close_all(struct daemon *d)
{
    int64_t drain_ms = d->settings ? d->settings->limits.drain_ms : 0;
    if (d->server)
        server_quiesce(d->server);
    if (d->loop)
        loop_stop(d->loop, drain_ms);
    server_free(d->server);
    loop_free(d->loop);
    journal_close(d->journal);
    clock_free(d->clock);
    metrics_free(d->metrics);
    settings_free(d->settings);
    http_global_cleanup();
}

/* One arena a core is enough for a daemon that mostly waits, and freed memory goes back. */
static void keep_memory_small(void)
{
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
#endif
}

static int run(struct daemon *d, const struct serve_options *o)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    if (http_global_init(&e) != ERR_OK)
        return fail("start", &e, &errors);
    if (load_settings(d, o, &errors, &e) != ERR_OK)
        return fail(o->config, &e, &errors);
    log_setup((enum log_level)d->settings->log_level, (enum log_format)d->settings->log_format, 2);
    if (open_all(d, &errors, &e) != ERR_OK)
        return fail("start", &e, &errors);
    log_info("ready", "version", HEALD_VERSION, "listen", d->settings->listen, "journal",
             d->settings->journal, "policy", d->settings->policy, NULL);
    supervisor_ready();
    wait_for_end(d);
    return 0;
}

static bool parse_options(int argc, char **argv, struct serve_options *ret)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "policy", required_argument, NULL, 'p' },
        { "journal", required_argument, NULL, 'j' },
        { "listen", required_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 },
    };
    *ret = (struct serve_options){ .config = "heald.cfg" };
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        const char **field = c == 'c'   ? &ret->config
                             : c == 'p' ? &ret->policy
                             : c == 'j' ? &ret->journal
                             : c == 'l' ? &ret->listen
                                        : NULL;
        if (!field)
            return false;
        *field = optarg;
    }
    return optind == argc;
}

int command_serve(int argc, char **argv)
{
    struct serve_options o;
    struct daemon d = { 0 };
    if (!parse_options(argc, argv, &o)) {
        fprintf(stderr, "heald: serve: unknown option or argument; see \"heald help serve\"\n");
        return 2;
    }
    keep_memory_small();
    sigemptyset(&d.signals);
    sigaddset(&d.signals, SIGTERM);
    sigaddset(&d.signals, SIGINT);
    sigaddset(&d.signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &d.signals, NULL); /* every thread inherits this: only sigwait takes them */
    signal(SIGPIPE, SIG_IGN);
    int status = run(&d, &o);
    close_all(&d);
    if (status == 0)
        log_info("ended", NULL);
    return status;
}
