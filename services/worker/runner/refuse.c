#include "refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum pl_code refuse(struct pl_err *err, int status, const char *fmt, ...)
{
    char message[sizeof(err->message)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    (void)pl_fail_reason(err, PL_MODEL, "MODEL_ERROR", NULL, "%s", message);
    if (err)
        err->model_status = status;
    return PL_MODEL;
}

struct refuse_quote refuse_quote(const char *s, size_t n)
{
    struct refuse_quote q;
    size_t used = 0;

    for (; used < n && used < REFUSE_QUOTE_CHARS; used++)
        q.text[used] = (unsigned char)s[used] < 0x20 || s[used] == 0x7f ? '?' : s[used];
    strcpy(q.text + used, used < n ? "..." : "");
    return q;
}
