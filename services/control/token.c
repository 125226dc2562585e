#include "token.h"

#include "base/mem.h"
#include "base/text.h"
#include "digest.h"

#include <stdio.h>
#include <string.h>

#define TOKEN_MAX 8192

static uint64_t sign(uint64_t filters, const char *key)
{
    return digest_add(digest_add(DIGEST_START, &filters, sizeof(filters)), key, strlen(key));
}

char *token_make(uint64_t filters, const char *key)
{
    size_t n = strlen(key);
    char *token = pl_new0(1, 16 + 2 * n + 1);
    (void)snprintf(token, 17, "%016llx", (unsigned long long)sign(filters, key));
    pl_hex(key, n, token + 16);
    return token;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of the digits; false when they are none, or hold a NUL. */
static bool unhex(const char *digits, size_t n, char *out)
{
    for (size_t i = 0; i < n; i += 2) {
        int high = hex_value(digits[i]), low = hex_value(digits[i + 1]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return false;
        out[i / 2] = (char)(high << 4 | low);
    }
    return true;
}

enum pl_code token_read(const char *token, uint64_t filters, char **out_key, struct pl_err *err)
{
    size_t n = strlen(token);
    char expected[17];
    *out_key = NULL;
    if (n == 0)
        return PL_OK;
    if (n >= 16 && n % 2 == 0 && n <= TOKEN_MAX) {
        pl_cleanup(pl_free_p) char *key = pl_new0(1, n / 2 + 1);
        bool good = unhex(token + 16, n - 16, key);
        (void)snprintf(expected, sizeof(expected), "%016llx", (unsigned long long)sign(filters, key));
        if (good && strncmp(expected, token, 16) == 0) {
            *out_key = pl_take(key);
            return PL_OK;
        }
    }
    return pl_fail(err, PL_INVALID, "page_token", "page_token \"%.80s\" is not from a list with the same filters",
                   token);
}
