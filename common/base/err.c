#include "base/err.h"

#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[PL_CODE_COUNT] = {
    [PL_OK] = "OK",
    [PL_CANCELLED] = "CANCELLED",
    [PL_UNKNOWN] = "UNKNOWN",
    [PL_INVALID] = "INVALID",
    [PL_DEADLINE] = "DEADLINE",
    [PL_NOT_FOUND] = "NOT_FOUND",
    [PL_EXISTS] = "EXISTS",
    [PL_DENIED] = "DENIED",
    [PL_EXHAUSTED] = "EXHAUSTED",
    [PL_PRECONDITION] = "PRECONDITION",
    [PL_ABORTED] = "ABORTED",
    [PL_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [PL_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [PL_INTERNAL] = "INTERNAL",
    [PL_UNAVAILABLE] = "UNAVAILABLE",
    [PL_DATA_LOSS] = "DATA_LOSS",
    [PL_UNAUTHENTICATED] = "UNAUTHENTICATED",
    [PL_MODEL] = "MODEL",
};

/* A character may reach over the end of the message by up to 3 bytes; with them at hand, a cut character is told from a
 * broken one. */
#define ROOM (sizeof(((struct pl_err *)0)->message) + 4)

/* What moves the cursor, changes colours or rings a bell: messages quote what came from outside, and end on terminals.
 */
static bool is_control(const char *s, size_t length)
{
    unsigned char first = (unsigned char)s[0];
    if (length == 2)
        return first == 0xc2 && (unsigned char)s[1] < 0xa0;
    return length == 1 && (first < 0x20 || first == 0x7f) && first != '\n' && first != '\t';
}

/* 'from' into 'out' of 'size' bytes: whole characters only, '?' for each byte that is not UTF-8 and each control
 * character but newline and tab. */
static void copy_clean(char *out, size_t size, const char *from)
{
    size_t left = strlen(from), at = 0;
    while (left > 0) {
        size_t n = utf8_step(from, left);
        size_t take = n > 0 ? n : 1;
        bool good = n > 0 && !is_control(from, n);
        size_t put = good ? n : 1;
        if (at + put >= size)
            break;
        if (good)
            memcpy(out + at, from, n);
        else
            out[at] = '?';
        at += put;
        from += take;
        left -= take;
    }
    out[at] = '\0';
}

/* The arguments may point into '*err': they are read before it is written. */
static enum pl_code fail_v(struct pl_err *err, enum pl_code code, const char *reason, const char *field,
                           const char *fmt, va_list args) PL_PRINTF(5, 0);
static enum pl_code fail_v(struct pl_err *err, enum pl_code code, const char *reason, const char *field,
                           const char *fmt, va_list args)
{
    if (!err)
        return code;
    char text[ROOM], where[sizeof(err->field) + 4], why[sizeof(err->reason) + 4];
    if (vsnprintf(text, sizeof(text), fmt, args) < 0)
        text[0] = '\0';
    (void)snprintf(where, sizeof(where), "%s", field ? field : "");
    (void)snprintf(why, sizeof(why), "%s", reason ? reason : "");
    err->code = code;
    err->retry_after_ms = 0;
    err->model_status = 0;
    copy_clean(err->message, sizeof(err->message), text);
    copy_clean(err->field, sizeof(err->field), where);
    copy_clean(err->reason, sizeof(err->reason), why);
    return code;
}

enum pl_code pl_fail(struct pl_err *err, enum pl_code code, const char *field, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_v(err, code, NULL, field, fmt, args);
    va_end(args);
    return code;
}

enum pl_code pl_fail_reason(struct pl_err *err, enum pl_code code, const char *reason, const char *field,
                            const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_v(err, code, reason, field, fmt, args);
    va_end(args);
    return code;
}

enum pl_code pl_err_prefix(struct pl_err *err, const char *fmt, ...)
{
    char context[ROOM], text[2 * ROOM];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(context, sizeof(context), fmt, args) < 0)
        context[0] = '\0';
    va_end(args);
    (void)snprintf(text, sizeof(text), "%s: %s", context, err->message);
    copy_clean(err->message, sizeof(err->message), text);
    return err->code;
}

const char *pl_code_name(enum pl_code code)
{
    unsigned index = (unsigned)code;
    return index < PL_CODE_COUNT ? names[index] : "UNKNOWN";
}

void pl_die(const char *fmt, ...)
{
    char text[ROOM];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    (void)fprintf(stderr, "%s: fatal: %s\n", program_invocation_short_name, text);
    abort();
}
