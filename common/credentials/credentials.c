/* The list itself. credentials_file.c reads and writes it. */
#include "credentials/credentials.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct credentials *credentials_new(void)
{
    return PL_NEW(struct credentials);
}

void credentials_free(struct credentials *c)
{
    if (!c)
        return;
    if (c->keys)
        explicit_bzero(c->keys, c->count * sizeof(*c->keys));
    free(c->keys);
    free(c);
}

void credentials_free_p(struct credentials **c)
{
    credentials_free(*c);
    *c = NULL;
}

size_t credentials_count(const struct credentials *c)
{
    return c->count;
}

const struct credential *credentials_at(const struct credentials *c, size_t i)
{
    return &c->keys[i];
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct credential *)a)->id, ((const struct credential *)b)->id);
}

static int id_of(const void *id, const void *key)
{
    return strcmp(id, ((const struct credential *)key)->id);
}

const struct credential *credentials_find(const struct credentials *c, const char *id)
{
    return c->count ? bsearch(id, c->keys, c->count, sizeof(*c->keys), id_of) : NULL;
}

static enum pl_code check_text(const char *field, const char *text, size_t min, size_t max, bool (*good)(char c),
                               const char *allowed, struct pl_err *err)
{
    size_t n = strlen(text);
    if (n < min || n > max)
        return pl_fail(err, PL_INVALID, field, "%s has %zu characters: it must have %zu to %zu", field, n, min, max);
    for (const char *p = text; *p; p++)
        if (!good(*p))
            return pl_fail(err, PL_INVALID, field, "%s may have only %s", field, allowed);
    return PL_OK;
}

static bool id_character(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static bool visible(char c)
{
    return c > 0x20 && c < 0x7f;
}

static bool printable(char c)
{
    return c >= 0x20 && c < 0x7f;
}

static enum pl_code check(const struct credential *key, struct pl_err *err)
{
    if (check_text("access_key_id", key->id, CREDENTIAL_ID_MIN, CREDENTIAL_ID_MAX, id_character,
                   "letters, digits, - and _", err) != PL_OK ||
        check_text("secret_access_key", key->secret, CREDENTIAL_SECRET_MIN, CREDENTIAL_SECRET_MAX, visible,
                   "visible ASCII characters", err) != PL_OK ||
        check_text("note", key->note, 0, CREDENTIAL_NOTE_MAX, printable, "printable ASCII characters", err) != PL_OK)
        return err->code;
    return PL_OK;
}

enum pl_code credentials_put(struct credentials *c, const struct credential *key, struct pl_err *err)
{
    const struct credential *old = credentials_find(c, key->id);
    if (!old)
        return credentials_add(c, key, err);
    if (check(key, err) != PL_OK)
        return err->code;
    c->keys[old - c->keys] = *key;
    return PL_OK;
}

enum pl_code credentials_add(struct credentials *c, const struct credential *key, struct pl_err *err)
{
    if (check(key, err) != PL_OK)
        return err->code;
    if (credentials_find(c, key->id))
        return pl_fail(err, PL_EXISTS, "access_key_id", "access key %s exists", key->id);
    if (c->count >= CREDENTIALS_MAX)
        return pl_fail(err, PL_EXHAUSTED, NULL, "there are %d access keys: no more are kept", CREDENTIALS_MAX);
    struct credential *more = pl_new0(c->count + 1, sizeof(*more)); /* not pl_grow(): the old place is wiped */
    if (c->keys) {
        memcpy(more, c->keys, c->count * sizeof(*more));
        explicit_bzero(c->keys, c->count * sizeof(*more));
        free(c->keys);
    }
    more[c->count++] = *key;
    c->keys = more;
    qsort(c->keys, c->count, sizeof(*c->keys), by_id);
    return PL_OK;
}

enum pl_code credentials_set_disabled(struct credentials *c, const char *id, bool disabled, struct pl_err *err)
{
    const struct credential *found = credentials_find(c, id);
    if (!found)
        return pl_fail(err, PL_NOT_FOUND, "access_key_id", "there is no access key '%.128s'", id);
    c->keys[found - c->keys].disabled = disabled;
    return PL_OK;
}

static void random_text(char *out, size_t n, const char *alphabet, size_t size)
{
    for (size_t i = 0; i < n;) {
        unsigned char byte;
        pl_random(&byte, 1);
        if (byte < 256 / size * size) /* else some characters would come more often */
            out[i++] = alphabet[byte % size];
    }
    out[n] = '\0';
}

void credential_make(struct credential *out, enum credential_use use, const char *note)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    static const char any[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    *out = (struct credential){ .use = use, .created_ms = pl_wall_ms(), .id = "PL" };
    random_text(out->id + 2, 18, upper, 32);
    random_text(out->secret, 40, any, 64);
    (void)snprintf(out->note, sizeof(out->note), "%s", note ? note : "");
}

static const char *const use_names[] = { [CREDENTIAL_ALL] = "all", [CREDENTIAL_ARTIFACTS] = "artifacts" };

const char *credential_use_name(enum credential_use use)
{
    return use_names[use];
}

bool credential_use_parse(const char *text, enum credential_use *out)
{
    for (size_t i = 0; i < PL_COUNT(use_names); i++)
        if (strcmp(text, use_names[i]) == 0) {
            *out = (enum credential_use)i;
            return true;
        }
    return false;
}
