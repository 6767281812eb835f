/* receiver/http/page/assets.h - the page's own files, put into the binary by the build (embed.cmake). */
#ifndef RECEIVER_HTTP_PAGE_ASSETS_H
#define RECEIVER_HTTP_PAGE_ASSETS_H

#include <stddef.h>

struct asset {
    const char *name; /* NULL: the end */
    const char *bytes;
    size_t len;
};
extern const struct asset assets[];

#endif
