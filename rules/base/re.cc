// rules/base/re.cc
#include "rules/base/re.h"

#include <cstring>
#include <new>
#include <re2/re2.h>

struct re {
    RE2 pattern;
    re(const re2::StringPiece &text, const RE2::Options &options) : pattern(text, options) {}
};

namespace
{
RE2::Options make_options()
{
    RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(true);
    options.set_never_capture(true);
    options.set_max_mem(RE_MEMORY_MAX);
    return options;
}
} // namespace

enum err_code re_new(struct re **ret, const char *pattern, struct err *e)
{
    size_t len = std::strlen(pattern);
    if (len > RE_PATTERN_MAX)
        return err_set(e, ERR_LIMIT, "regular expression '%.40s...' has %zu bytes, at most %u are allowed",
                       pattern, len, RE_PATTERN_MAX);
    try {
        struct re *made = new struct re(re2::StringPiece(pattern, len), make_options());
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
