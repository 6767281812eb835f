/* receiver/http/sources.c */
#include "receiver/http/sources.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/decode/decoder.h"
#include "rules/base/timetext.h"

int64_t rate_take(struct rate *r, int64_t per_second, int64_t burst, int64_t now_ms)
{
    if (per_second == INT64_MAX || burst == INT64_MAX)
        return 0;
    int64_t full = burst * 1000, gone = now_ms - r->since_ms;
    if (!r->begun || gone > full / per_second) /* as much as there may be */
        r->thousandths = full;
    else if (gone > 0)
        r->thousandths =
            r->thousandths + gone * per_second < full ? r->thousandths + gone * per_second : full;
    r->begun = true;
    r->since_ms = now_ms;
    if (r->thousandths < 1000)
        return (1000 - r->thousandths + per_second - 1) / per_second;
    r->thousandths -= 1000;
    return 0;
}

/* ---- deliveries ---- */

static void name_of(unsigned char ret[16], const char *source, const char *id)
{
    unsigned char digest[SECRET_DIGEST_SIZE];
    gnutls_hash_hd_t hash;
    memset(ret, 0, 16);
    if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0)
        return;
    gnutls_hash(hash, source, strlen(source) + 1);
    gnutls_hash(hash, id, strlen(id));
    gnutls_hash_deinit(hash, digest);
    memcpy(ret, digest, 16);
}

bool seen_has(const struct seen *s, const char *source, const char *id)
{
    unsigned char name[16];
    name_of(name, source, id);
    for (size_t i = 0; i < SEEN_MAX; i++)
        if (memcmp(s->ids[i], name, sizeof name) == 0)
            return true;
    return false;
}

void seen_add(struct seen *s, const char *source, const char *id)
{
    name_of(s->ids[s->next], source, id);
    s->next = (s->next + 1) % SEEN_MAX;
}

/* ---- sources ---- */

struct source_state *sources_new(const struct source_settings *settings, size_t len)
{
    struct source_state *list = calloc(len + 1, sizeof *list);
    for (size_t i = 0; list && i < len; i++) {
        const struct source_settings *s = &settings[i];
        list[i].settings = s;
        list[i].secret.file = s->token_file ? s->token_file : s->password_file;
        list[i].secret.user = s->token_file ? NULL : s->user;
        list[i].key.file = s->secret_file;
    }
    return list;
}

void sources_free(struct source_state *list, size_t len)
{
    for (size_t i = 0; list && i < len; i++)
        signing_key_clear(&list[i].key);
    free(list);
}

void sources_write(struct json_writer *w, const struct source_state *list, size_t len)
{
    jw_array(w);
    for (size_t i = 0; i < len; i++) {
        char time[TIME_TEXT_SIZE];
        jw_object(w);
        jw_kstring(w, "name", list[i].settings->scope.name);
        jw_kstring(w, "type", source_kind_name(list[i].settings->scope.kind));
        if (list[i].last_ms)
            jw_kstring(w, "last_delivery", time_format(time, list[i].last_ms));
        if (list[i].last[0])
            jw_kstring(w, "last_result", list[i].last);
        jw_object_end(w);
    }
    jw_array_end(w);
}
