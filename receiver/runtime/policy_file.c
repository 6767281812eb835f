/* The policy file: read, parsed, and joined with what heald.cfg says about sources and Prometheus. */
#include <assert.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/catalogue.h"
#include "receiver/runtime/loop_internal.h"
#include "receiver/runtime/policy_file.h"
#include "receiver/runtime/zone_file.h"

enum err_code file_read(struct buf *ret, const char *file, size_t max, struct err *e)
{
    FILE *f = fopen(file, "re");
    if (!f)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", file, strerror(errno));
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && ret->len <= max)
        buf_add(ret, chunk, n);
    bool failed = ferror(f) != 0;
    fclose(f);
    if (failed)
        return err_set(e, ERR_IO, "%s: cannot be read", file);
    if (ret->len > max)
        return err_set(e, ERR_LIMIT, "%s: larger than %zu bytes", file, max);
    return buf_ok(ret) ? ERR_OK : err_set(e, ERR_NOMEM, "%s: no memory", file);
}

/* A policy that is being read, with all files that belong to it. */
struct reading {
    const char *file;
    gnutls_hash_hd_t hash;    /* over all of them */
    struct file_watch *files; /* all of them; NULL */
};

static void end_hash(char ret[HASH_SIZE], gnutls_hash_hd_t hash)
{
    unsigned char digest[32];
    gnutls_hash_deinit(hash, digest);
    for (size_t i = 0; ret && i < sizeof digest; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

/* A file below the folder of the policy; links may not lead out of it. */
static enum err_code read_beside(void *arg, const char *file, struct buf *ret, struct err *e)
{
    const struct reading *r = arg;
    const char *policy = r->file, *slash = strrchr(policy, '/');
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    char folder[PATH_MAX], real[PATH_MAX];
    buf_addf(&path, "%.*s", slash ? (int)(slash - policy) + 1 : 2, slash ? policy : "./");
    if (!buf_ok(&path) || !realpath(buf_text(&path), folder))
        return err_set(e, ERR_IO, "%s: %s", buf_text(&path), strerror(errno));
    buf_adds(&path, file);
    if (r->files && !file_watch_add(r->files, buf_text(&path)))
        return err_set(e, ERR_NOMEM, "%s: no memory", file);
    if (!buf_ok(&path) || !realpath(buf_text(&path), real))
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", buf_text(&path),
                       strerror(errno));
    size_t len = strlen(folder);
    if (strncmp(real, folder, len) != 0 || (real[len] != '/' && len > 1))
        return err_set(e, ERR_REFUSED, "%s leads out of the folder of the policy", buf_text(&path));
    enum err_code code = file_read(ret, real, CONFIG_TEXT_MAX, e);
    if (code == ERR_OK)
        gnutls_hash(r->hash, buf_text(ret), ret->len);
    return code;
}

static enum err_code load(struct policy **ret, const char *file, const struct policy_names *names,
                          struct file_watch *ret_files, struct config_problems *ret_problems,
                          struct buf *ret_errors, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    struct reading r = { .file = file, .files = ret_files };
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    const struct policy_shell shell = { .zone = zone_file_load,
                                        .reader = { .read = read_beside, .arg = &r },
                                        .groups = names ? names->groups : NULL,
                                        .receivers = names ? names->receivers : NULL,
                                        .sources = names ? names->sources : NULL,
                                        .settle_ms = names ? names->settle_ms : 0,
                                        .problems = ret_problems };
    struct policy *p = NULL;
    if (ret_files && !file_watch_add(ret_files, file))
        return err_set(e, ERR_NOMEM, "%s: no memory", file);
    enum err_code code = file_read(&text, file, CONFIG_TEXT_MAX, e);
    if (code)
        return code;
    if (gnutls_hash_init(&r.hash, GNUTLS_DIG_SHA256) != 0)
        return err_set(e, ERR_NOMEM, "no memory for a policy");
    gnutls_hash(r.hash, buf_text(&text), text.len);
    code = policy_load_with(&p, file, buf_text(&text), text.len, specs, len, &shell, ret_errors, e);
    end_hash(p ? p->hash : NULL, r.hash);
    if (code == ERR_OK)
        *ret = p;
    return code;
}

enum err_code policy_file_check(struct policy **ret, const char *file, const struct policy_names *names,
                                struct config_problems *ret_problems, struct err *e)
{
    return load(ret, file, names, NULL, ret_problems, NULL, e);
}

enum err_code policy_file_load(struct policy **ret, const char *file, struct file_watch *ret_files,
                               struct buf *ret_errors, struct err *e)
{
    return load(ret, file, NULL, ret_files, NULL, ret_errors, e);
}

/* From now on these are the files that are looked at. */
static void keep_files(struct loop *l, struct file_watch *files)
{
    pthread_mutex_lock(&l->files_lock);
    struct file_watch before = l->policy_files;
    l->policy_files = *files;
    pthread_mutex_unlock(&l->files_lock);
    file_watch_release(&before);
}

bool loop_policy_changed(struct loop *l)
{
    pthread_mutex_lock(&l->files_lock);
    bool changed = file_watch_changed(&l->policy_files);
    pthread_mutex_unlock(&l->files_lock);
    return changed;
}

enum err_code loop_policy_load(struct loop *l, struct policy **ret, struct buf *ret_errors, struct err *e)
{
    const struct settings *s = l->parts.settings;
    if (!l->sources) {
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
        l->sources = calloc(s->sources_len + 1, sizeof *l->sources);
        if (!l->sources)
            return err_set(e, ERR_NOMEM, "no memory for the sources");
        for (size_t i = 0; i < s->sources_len; i++)
            l->sources[i] = &s->sources[i].scope;
    }
    struct policy *p = NULL;
    struct file_watch files = { .len = 0 };
    enum err_code code = policy_file_load(&p, l->parts.policy_file, &files, ret_errors, e);
    keep_files(l, &files);
    if (code)
        return code;
    assert(p);
    p->sources = l->sources;
    p->sources_len = s->sources_len;
    p->prometheus = s->prometheus.url != NULL;
    p->settle_ms = s->alerts.settle_ms;
    p->group_interval_ms = s->alerts.group_interval_ms;
    *ret = p;
    return ERR_OK;
}

int64_t policy_shortest_well_ms(const struct policy *p)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < p->environments_len; i++)
        if (p->environments[i].well_for_ms < least)
            least = p->environments[i].well_for_ms;
    return least;
}
