// rules/base/re.cc
#include "rules/base/re.h"

#include <cstring>
#include <new>
#include <re2/re2.h>
#include <re2/set.h>
#include <vector>

struct re {
    RE2 pattern;
    re(const re2::StringPiece &text, const RE2::Options &options) : pattern(text, options) {}
};

namespace
{
RE2::Options make_options(enum re_dot dot)
{
    RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(dot == RE_DOT_ALL);
    options.set_never_capture(true);
    options.set_max_mem(RE_MEMORY_MAX);
    return options;
}

// RE2 has \C, Go has not.
bool wants_bytes(const char *p)
{
    for (; *p; p++) {
        if (p[0] != '\\' || !p[1])
            continue;
        p++;
        if (*p == 'C')
            return true;
        const char *end = *p == 'Q' ? std::strstr(p, "\\E") : nullptr;
        if (*p == 'Q' && !end)
            return false;
        p = end ? end + 1 : p;
    }
    return false;
}
} // namespace

enum err_code re_new(struct re **ret, const char *pattern, enum re_dot dot, struct err *e)
{
    size_t len = std::strlen(pattern);
    if (len > RE_PATTERN_MAX)
        return err_set(e, ERR_LIMIT, "regular expression '%.40s...' has %zu bytes, at most %u are allowed",
                       pattern, len, RE_PATTERN_MAX);
    if (wants_bytes(pattern))
        return err_set(e, ERR_INVALID, "regular expression '%.200s': invalid escape sequence: \\C", pattern);
    try {
        struct re *made = new struct re(re2::StringPiece(pattern, len), make_options(dot));
        if (!made->pattern.ok()) {
            err_set(e, ERR_INVALID, "regular expression '%.200s': %.200s", pattern,
                    made->pattern.error().c_str());
            delete made;
            return ERR_INVALID;
        }
        *ret = made;
        return ERR_OK;
    } catch (const std::bad_alloc &) {
        return err_set(e, ERR_NOMEM, "no memory for the regular expression '%.200s'", pattern);
    }
}

struct re *re_free(struct re *re)
{
    delete re;
    return nullptr;
}

bool re_matches(const struct re *re, const char *text, size_t len)
{
    // noexcept: with no memory left the process ends here, instead of a match that silently fails.
    return [&]() noexcept { return RE2::FullMatch(re2::StringPiece(text, len), re->pattern); }();
}

bool re_found(const struct re *re, const char *text, size_t len)
{
    return [&]() noexcept { return RE2::PartialMatch(re2::StringPiece(text, len), re->pattern); }();
}

struct re_set {
    RE2::Set patterns;
    explicit re_set(const RE2::Options &options) : patterns(options, RE2::ANCHOR_BOTH) {}
};

enum err_code re_set_new(struct re_set **ret, struct err *e)
{
    RE2::Options options = make_options(RE_DOT_ALL);
    options.set_max_mem(RE_SET_MEMORY_MAX);
    try {
        *ret = new struct re_set(options);
        return ERR_OK;
    } catch (const std::bad_alloc &) {
        return err_set(e, ERR_NOMEM, "no memory for a set of regular expressions");
    }
}

struct re_set *re_set_free(struct re_set *set)
{
    delete set;
    return nullptr;
}

enum err_code re_set_add(struct re_set *set, const char *pattern, struct err *e)
{
    try {
        std::string error;
        if (set->patterns.Add(pattern, &error) < 0)
            return err_set(e, ERR_INVALID, "regular expression '%.200s': %.200s", pattern, error.c_str());
        return ERR_OK;
    } catch (const std::bad_alloc &) {
        return err_set(e, ERR_NOMEM, "no memory for the regular expression '%.200s'", pattern);
    }
}

enum err_code re_set_compile(struct re_set *set, struct err *e)
{
    try {
        if (!set->patterns.Compile())
            return err_set(e, ERR_LIMIT, "a set of regular expressions needs more than %lld bytes",
                           RE_SET_MEMORY_MAX);
        return ERR_OK;
    } catch (const std::bad_alloc &) {
        return err_set(e, ERR_NOMEM, "no memory for a set of regular expressions");
    }
}

bool re_set_match(const struct re_set *set, const char *text, size_t len,
                  void (*each)(void *arg, size_t number), void *arg)
{
    // noexcept: with no memory left the process ends here, instead of a match that silently fails.
    return [&]() noexcept {
        std::vector<int> numbers;
        RE2::Set::ErrorInfo info = { RE2::Set::kNoError };
        if (!set->patterns.Match(re2::StringPiece(text, len), &numbers, &info))
            return info.kind == RE2::Set::kNoError;
        for (int n : numbers)
            each(arg, static_cast<size_t>(n));
        return true;
    }();
}
