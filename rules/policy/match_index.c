#include "rules/policy/match_index.h"

#include <stdlib.h>
#include <string.h>

#define COMMON 16u       /* an equal matcher of more lists than this is worth a regular expression instead */
#define PREFIXES_MAX 32u /* bytes of a prefix; longer ones are cut */

/* What lists are filed under: the value of a label, or how it begins. */
struct key {
    const char *name, *text; /* of the matchers; text is not terminated */
    size_t len;
    bool prefix;
};
struct bucket {     /* of the hash table */
    struct key key; /* name NULL: empty */
    uint64_t hash;
    uint32_t lists; /* that have this equal matcher */
    uint32_t filed; /* of them filed here, */
    uint32_t first; /* from here on in `entries` */
};
struct entry {
    uint32_t bucket, list;
};
/* Of a label name: which lengths prefixes have. */
struct prefixes {
    const char *name;
    uint64_t lengths; /* bit n: there is one of n bytes */
};
struct name_set { /* all regular expressions of one label name */
    const char *name;
    struct re_set *set; /* NULL: asked one by one, as all candidates */
    uint32_t *lists;    /* by the number of the expression */
    size_t len, cap;
};
enum filed_as { FILED_ALWAYS, FILED_EQUAL, FILED_REGEX };
struct filing {
    enum filed_as as;
    const struct matcher *m;
};
struct match_index {
    uint32_t *tags; /* of the hashes in `buckets`, 0: empty; small enough to stay in a cache */
    struct bucket *buckets;
    size_t mask;
    struct entry *entries; /* sorted by bucket */
    size_t entries_len, entries_cap;
    struct prefixes *prefixes;
    size_t prefixes_len;
    struct name_set *sets;
    size_t sets_len;
    uint32_t *always; /* lists */
    size_t always_len;
    size_t lists;
};

static uint64_t hash_bytes(uint64_t h, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h;
}

static uint64_t hash_name(const char *name, bool prefix)
{
    return (hash_bytes(14695981039346656037u, name, strlen(name)) ^ (prefix ? 0xFEu : 0xFFu)) *
           1099511628211u;
}

static uint64_t finish(uint64_t h)
{
    return h ^ h >> 29;
}

static bool same_key(const struct bucket *b, const struct key *k, uint64_t hash)
{
    return b->hash == hash && b->key.len == k->len && b->key.prefix == k->prefix &&
           memcmp(b->key.text, k->text, k->len) == 0 && strcmp(b->key.name, k->name) == 0;
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32) | 1u;
}

/* The bucket of this key, or the empty one where it belongs. */
static size_t find(const struct match_index *x, const struct key *k, uint64_t hash)
{
    size_t i = hash & x->mask;
    uint32_t tag = tag_of(hash);
    while (x->tags[i] && !(x->tags[i] == tag && same_key(&x->buckets[i], k, hash)))
        i = (i + 1) & x->mask;
    return i;
}

static struct bucket *find_or_add(struct match_index *x, const struct key *k)
{
    uint64_t hash = finish(hash_bytes(hash_name(k->name, k->prefix), k->text, k->len));
    size_t i = find(x, k, hash);
    x->tags[i] = tag_of(hash);
    x->buckets[i].key = *k;
    x->buckets[i].hash = hash;
    return &x->buckets[i];
}

/* ---- making ---- */

static bool wants_label(const struct matcher *m)
{
    return (m->op == MATCH_EQUAL && *m->value) || (m->op == MATCH_REGEX && !matcher_matches_value(m, ""));
}

static struct key equal_key(const struct matcher *m)
{
    return (struct key){ .name = m->name, .text = m->value, .len = strlen(m->value) };
}

static struct key branch_key(const struct matcher *m, const struct pattern_branch *b)
{
    bool prefix = b->behind != BEHIND_NOTHING;
    return (struct key){ .name = m->name,
                         .text = b->literal,
                         .len = prefix && b->len > PREFIXES_MAX ? PREFIXES_MAX : b->len,
                         .prefix = prefix };
}

static void count_equal(struct match_index *x, const struct matchers *list)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct matcher *m = &list->list[i];
        if (m->op == MATCH_EQUAL && *m->value) {
            struct key k = equal_key(m);
            find_or_add(x, &k)->lists++;
        }
    }
}

/* The rarest equal matcher; when even that is common, a regular expression. */
static struct filing file_under(struct match_index *x, const struct matchers *list)
{
    struct filing best = { .as = FILED_ALWAYS };
    const struct matcher *regex = NULL;
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < list->len; i++) {
        const struct matcher *m = &list->list[i];
        if (!wants_label(m))
            continue;
        if (m->op == MATCH_REGEX) {
            regex = regex ? regex : m;
            continue;
        }
        struct key k = equal_key(m);
        uint32_t lists = find_or_add(x, &k)->lists;
        if (lists < least) {
            least = lists;
            best = (struct filing){ .as = FILED_EQUAL, .m = m };
        }
    }
    return regex && least > COMMON ? (struct filing){ .as = FILED_REGEX, .m = regex } : best;
}

static bool add_entry(struct match_index *x, const struct key *k, size_t list)
{
    if (x->entries_len == x->entries_cap) {
        size_t cap = x->entries_cap ? 2 * x->entries_cap : 64;
        struct entry *more = reallocarray(x->entries, cap, sizeof *more);
        if (!more)
            return false;
        x->entries = more;
        x->entries_cap = cap;
    }
    uint32_t bucket = (uint32_t)(find_or_add(x, k) - x->buckets);
    x->entries[x->entries_len++] = (struct entry){ .bucket = bucket, .list = (uint32_t)list };
    return true;
}

static bool note_prefix(struct match_index *x, const char *name, size_t len)
{
    size_t i = 0;
    while (i < x->prefixes_len && strcmp(x->prefixes[i].name, name) != 0)
        i++;
    if (i == x->prefixes_len) {
        struct prefixes *more = reallocarray(x->prefixes, x->prefixes_len + 1, sizeof *more);
        if (!more)
            return false;
        x->prefixes = more;
        more[x->prefixes_len++] = (struct prefixes){ .name = name };
    }
    x->prefixes[i].lengths |= (uint64_t)1 << len;
    return true;
}

static struct name_set *set_of(struct match_index *x, const char *name)
{
    for (size_t i = 0; i < x->sets_len; i++)
        if (strcmp(x->sets[i].name, name) == 0)
            return &x->sets[i];
    struct name_set *more = reallocarray(x->sets, x->sets_len + 1, sizeof *more);
    if (!more)
        return NULL;
    x->sets = more;
    more[x->sets_len] = (struct name_set){ .name = name };
    return re_set_new(&more[x->sets_len].set, NULL) == ERR_OK ? &more[x->sets_len++] : NULL;
}

static bool add_regex(struct match_index *x, const struct matcher *m, size_t list)
{
    struct name_set *s = set_of(x, m->name);
    if (!s)
        return false;
    if (s->len == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        uint32_t *more = reallocarray(s->lists, cap, sizeof *more);
        if (!more)
            return false;
        s->lists = more;
        s->cap = cap;
    }
    s->lists[s->len++] = (uint32_t)list;
    return re_set_add(s->set, m->value, NULL) == ERR_OK;
}

/* Under each of its alternatives, when all of them begin with a literal. False: no memory. */
static bool file_regex(struct match_index *x, const struct matcher *m, size_t list)
{
    const struct pattern *p = m->pattern;
    for (size_t i = 0; i < p->len; i++)
        if (p->branches[i].len == 0)
            return add_regex(x, m, list);
    for (size_t i = 0; i < p->len; i++) {
        struct key k = branch_key(m, &p->branches[i]);
        if (!add_entry(x, &k, list) || (k.prefix && !note_prefix(x, k.name, k.len)))
            return false;
    }
    return true;
}

static int by_bucket(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->bucket > y->bucket) - (x->bucket < y->bucket);
}

static bool file_all(struct match_index *x, const struct filing *filings)
{
    bool good = true;
    for (size_t i = 0; i < x->lists && good; i++) {
        const struct filing *f = &filings[i];
        struct key k = f->as == FILED_EQUAL ? equal_key(f->m) : (struct key){ .len = 0 };
        if (f->as == FILED_ALWAYS)
            x->always[x->always_len++] = (uint32_t)i;
        else
            good = f->as == FILED_EQUAL ? add_entry(x, &k, i) : file_regex(x, f->m, i);
    }
    if (x->entries_len)
        qsort(x->entries, x->entries_len, sizeof *x->entries, by_bucket);
    for (size_t i = x->entries_len; i-- > 0;) {
        struct bucket *b = &x->buckets[x->entries[i].bucket];
        b->first = (uint32_t)i;
        b->filed++;
    }
    for (size_t i = 0; i < x->sets_len; i++)
        if (re_set_compile(x->sets[i].set, NULL) != ERR_OK)
            x->sets[i].set = re_set_free(x->sets[i].set);
    return good;
}

static bool fill(struct match_index *x, const struct matchers *(*list_of)(const void *, size_t),
                 const void *arg)
{
    struct filing *filings = calloc(x->lists + 1, sizeof *filings);
    if (!filings)
        return false;
    for (size_t i = 0; i < x->lists; i++)
        count_equal(x, list_of(arg, i));
    for (size_t i = 0; i < x->lists; i++)
        filings[i] = file_under(x, list_of(arg, i));
    bool good = file_all(x, filings);
    free(filings);
    return good;
}

enum err_code match_index_new(struct match_index **ret, size_t lists,
                              const struct matchers *(*list_of)(const void *arg, size_t index),
                              const void *arg, struct err *e)
{
    size_t keys = 0, size = 16;
    if (lists > MATCH_LISTS_MAX)
        return err_set(e, ERR_LIMIT, "%zu lists of matchers; %u is the most", lists, MATCH_LISTS_MAX);
    for (size_t i = 0; i < lists; i++)
        for (size_t k = 0; k < list_of(arg, i)->len; k++) {
            const struct matcher *m = &list_of(arg, i)->list[k];
            keys += m->pattern ? m->pattern->len : 1;
        }
    while (size < 2 * keys)
        size *= 2;
    struct match_index *x = calloc(1, sizeof *x);
    if (x) {
        x->lists = lists;
        x->mask = size - 1;
        x->tags = calloc(size, sizeof *x->tags);
        x->buckets = calloc(size, sizeof *x->buckets);
        x->always = calloc(lists + 1, sizeof *x->always);
    }
    if (!x || !x->tags || !x->buckets || !x->always || !fill(x, list_of, arg)) {
        match_index_free(x);
        return err_set(e, ERR_NOMEM, "no memory for an index of matchers");
    }
    *ret = x;
    return ERR_OK;
}

struct match_index *match_index_free(struct match_index *x)
{
    for (size_t i = 0; x && i < x->sets_len; i++) {
        re_set_free(x->sets[i].set);
        free(x->sets[i].lists);
    }
    if (x) {
        free(x->sets);
        free(x->prefixes);
        free(x->tags);
        free(x->buckets);
        free(x->entries);
        free(x->always);
    }
    free(x);
    return NULL;
}

/* ---- asking ---- */

struct asking {
    const struct name_set *set;
    struct match_candidates *ret;
};

static void put(struct match_candidates *ret, size_t list)
{
    size_t word = list / 64;
    uint64_t *used = &ret->used[word / 64], bit = (uint64_t)1 << word % 64;
    if (!(*used & bit))
        ret->bits[word] = 0;
    *used |= bit;
    ret->bits[word] |= (uint64_t)1 << list % 64;
}

static void matched(void *arg, size_t number)
{
    const struct asking *a = arg;
    put(a->ret, a->set->lists[number]);
}

static void ask_set(const struct name_set *s, const char *value, struct match_candidates *ret)
{
    if (s->set && re_set_match(s->set, value, strlen(value), matched, &(struct asking){ s, ret }))
        return;
    for (size_t i = 0; i < s->len; i++)
        put(ret, s->lists[i]);
}

static void ask_key(const struct match_index *x, const struct key *k, uint64_t hash,
                    struct match_candidates *ret)
{
    size_t at = find(x, k, finish(hash));
    const struct bucket *b = x->tags[at] ? &x->buckets[at] : NULL;
    for (uint32_t i = 0; b && i < b->filed; i++)
        put(ret, x->entries[b->first + i].list);
}

static void ask_label(const struct match_index *x, const char *name, const char *value,
                      struct match_candidates *ret)
{
    struct key k = { .name = name, .text = value, .len = strlen(value) };
    ask_key(x, &k, hash_bytes(hash_name(name, false), value, k.len), ret);
}

/* Every length that a prefix has, as far as the value goes. */
static void ask_prefixes(const struct match_index *x, const struct prefixes *p, const char *value,
                         struct match_candidates *ret)
{
    uint64_t hash = hash_name(p->name, true);
    size_t done = 0, len = strlen(value);
    for (uint64_t lengths = p->lengths; lengths; lengths &= lengths - 1) {
        struct key k = {
            .name = p->name, .text = value, .len = (size_t)__builtin_ctzll(lengths), .prefix = true
        };
        if (k.len > len)
            return;
        hash = hash_bytes(hash, value + done, k.len - done);
        done = k.len;
        ask_key(x, &k, hash, ret);
    }
}

static const char *value_of(const char *name, const struct map *labels, const char *message)
{
    const char *value = map_get(labels, name);
    return !value && message && strcmp(name, "message") == 0 ? message : value;
}

void match_index_ask(const struct match_index *x, const struct map *labels, const char *message,
                     struct match_candidates *ret)
{
    memset(ret->used, 0, sizeof ret->used);
    for (size_t i = 0; i < x->always_len; i++)
        put(ret, x->always[i]);
    for (size_t i = 0; i < labels->len; i++)
        ask_label(x, map_name_at(labels, i), map_value_at(labels, i), ret);
    if (message && !map_get(labels, "message"))
        ask_label(x, "message", message, ret);
    for (size_t i = 0; i < x->prefixes_len; i++) {
        const char *value = value_of(x->prefixes[i].name, labels, message);
        if (value)
            ask_prefixes(x, &x->prefixes[i], value, ret);
    }
    for (size_t i = 0; i < x->sets_len; i++) {
        const char *value = value_of(x->sets[i].name, labels, message);
        if (value)
            ask_set(&x->sets[i], value, ret);
    }
}

size_t match_candidates_next(const struct match_candidates *c, size_t from)
{
    size_t word = from / 64;
    while (word < MATCH_WORDS) {
        uint64_t used = c->used[word / 64] & ~(uint64_t)0 << word % 64;
        if (!used) {
            word = (word / 64 + 1) * 64;
            continue;
        }
        word = word / 64 * 64 + (size_t)__builtin_ctzll(used);
        uint64_t bits = c->bits[word];
        if (word == from / 64)
            bits &= ~(uint64_t)0 << from % 64;
        if (bits)
            return word * 64 + (size_t)__builtin_ctzll(bits);
        word++;
    }
    return SIZE_MAX;
}
