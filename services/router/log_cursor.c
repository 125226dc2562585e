#include "log_cursor.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PLACES 1000
#define MAX_HOST   255
#define MAX_TEXT   ((size_t)256 << 10)

void log_cursor_done(struct log_cursor *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->places[i].host);
    free(c->places);
    *c = (struct log_cursor){ 0 };
}

static struct log_place *find(const struct log_cursor *c, const char *host)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->places[i].host, host) == 0)
            return &c->places[i];
    return NULL;
}

int64_t log_cursor_get(const struct log_cursor *c, const char *host, int64_t otherwise)
{
    const struct log_place *p = find(c, host);

    return p ? p->at_us : otherwise;
}

void log_cursor_set(struct log_cursor *c, const char *host, int64_t at_us)
{
    struct log_place *p = find(c, host);

    if (!p) {
        if (c->count == MAX_PLACES)
            return;
        c->places = pl_grow(c->places, c->count + 1, sizeof(*c->places));
        p = &c->places[c->count++];
        p->host = pl_strdup(host);
    }
    p->at_us = at_us;
}

char *log_cursor_text(const struct log_cursor *c)
{
    struct pl_buf text = PL_BUF_INIT(MAX_TEXT * 2);

    (void)pl_buf_adds(&text, "");
    for (size_t i = 0; i < c->count; i++)
        (void)pl_buf_addf(&text, "%s%" PRId64 "-%s", i ? "/" : "", c->places[i].at_us, c->places[i].host);
    return pl_buf_take(&text, NULL);
}

/* One place, up to '/' or the end, which '*s' then points to. */
static bool take_place(struct log_cursor *c, const char **s)
{
    size_t n = strcspn(*s, "/");
    pl_cleanup(pl_free_p) char *place = pl_strndup(*s, n);
    char *dash = strchr(place, '-');
    int64_t at_us;

    if (!dash || dash[1] == '\0' || strlen(dash + 1) > MAX_HOST || c->count == MAX_PLACES)
        return false;
    *dash = '\0';
    if (!pl_parse_i64(place, 0, INT64_MAX, &at_us) || find(c, dash + 1))
        return false;
    log_cursor_set(c, dash + 1, at_us);
    *s += n;
    return true;
}

enum pl_code log_cursor_parse(struct log_cursor *out, const char *text, struct pl_err *err)
{
    struct log_cursor c = { 0 };
    const char *s = text;
    bool good = strlen(text) <= MAX_TEXT;

    while (good && *s) {
        good = take_place(&c, &s);
        if (good && *s == '/')
            good = *++s != '\0';
    }
    if (!good) {
        log_cursor_done(&c);
        return pl_fail(err, PL_INVALID, "page_token", "page_token: '%.80s' is not one that an answer had", text);
    }
    *out = c;
    return PL_OK;
}
