#include "keys.h"

#include "base/mem.h"
#include "base/time.h"
#include "log/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIGNING_KEYS 64
#define SCOPE_MAX    160

struct signing_key {
    char id[CREDENTIAL_ID_MAX + 1];
    char scope[SCOPE_MAX];
    unsigned char key[SHA256_BYTES];
};

struct keys {
    char *path;
    struct credentials *list;
    struct timespec modified;
    ino_t inode;
    off_t size;
    int64_t looked_ms;
    bool complained;
    struct signing_key signing[SIGNING_KEYS];
    unsigned next; /* to be replaced */
};

static bool has_changed(struct keys *k)
{
    struct stat st = { 0 };
    (void)stat(k->path, &st); /* not there: zeros */
    if (st.st_ino == k->inode && st.st_size == k->size && st.st_mtim.tv_sec == k->modified.tv_sec &&
        st.st_mtim.tv_nsec == k->modified.tv_nsec)
        return false;
    k->inode = st.st_ino;
    k->size = st.st_size;
    k->modified = st.st_mtim;
    return true;
}

static enum pl_code load(struct keys *k, struct pl_err *err)
{
    struct credentials *list = NULL;
    if (credentials_load(&list, k->path, err) != PL_OK)
        return err->code;
    credentials_free(k->list);
    k->list = list;
    explicit_bzero(k->signing, sizeof(k->signing));
    return PL_OK;
}

static void look(struct keys *k)
{
    struct pl_err err;
    k->looked_ms = pl_now_ms();
    if (!has_changed(k))
        return;
    if (load(k, &err) == PL_OK) {
        log_info("credentials_loaded", LOG_UINT("keys", credentials_count(k->list)));
        k->complained = false;
    } else if (!k->complained) {
        log_error("credentials_not_loaded", LOG_ERR(&err));
        k->complained = true;
    }
}

enum pl_code keys_open(struct keys **out, const char *path, struct pl_err *err)
{
    struct keys *k = PL_NEW(struct keys);
    k->path = pl_strdup(path);
    (void)has_changed(k);
    if (load(k, err) != PL_OK) {
        keys_close(k);
        return err->code;
    }
    *out = k;
    return PL_OK;
}

void keys_close(struct keys *k)
{
    if (!k)
        return;
    credentials_free(k->list);
    explicit_bzero(k->signing, sizeof(k->signing));
    free(k->path);
    free(k);
}

const struct credential *keys_find(struct keys *k, const char *id)
{
    if (pl_now_ms() >= k->looked_ms + KEYS_LOOK_MS)
        look(k);
    const struct credential *found = credentials_find(k->list, id);
    if (!found) {
        look(k);
        found = credentials_find(k->list, id);
    }
    return found && !found->disabled ? found : NULL;
}

void keys_signing_key(struct keys *k, const struct credential *key, const struct sigv4_claim *c,
                      unsigned char out[SHA256_BYTES])
{
    for (size_t i = 0; i < SIGNING_KEYS; i++) {
        const struct signing_key *s = &k->signing[i];
        if (strcmp(s->id, key->id) == 0 && strcmp(s->scope, c->scope) == 0) {
            memcpy(out, s->key, SHA256_BYTES);
            return;
        }
    }
    sigv4_key(key->secret, c, out);
    if (strlen(c->scope) >= SCOPE_MAX)
        return;
    struct signing_key *s = &k->signing[k->next++ % SIGNING_KEYS];
    strcpy(s->id, key->id);
    strcpy(s->scope, c->scope);
    memcpy(s->key, out, SHA256_BYTES);
}
