#include "up_credentials.h"

#include "base/mem.h"
#include "credentials/credentials.h"
#include "up_layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKER_NOTE "pilotlight up: worker host"
#define FIRST_NOTE  "made by the first pilotlight up"
#define PRESET_NOTE "PILOTLIGHT_ACCESS_KEY_ID"

/* The first key of that use that is not disabled. */
static const struct credential *usable(const struct credentials *c, enum credential_use use, const char *note)
{
    for (size_t i = 0; i < credentials_count(c); i++) {
        const struct credential *k = credentials_at(c, i);
        if (k->use == use && !k->disabled && (!note || strcmp(k->note, note) == 0))
            return k;
    }
    return NULL;
}

static enum pl_code add_preset(struct credentials *c, const char *id, const char *secret, struct pl_err *err)
{
    struct credential key;
    if (!id || !secret)
        return pl_fail(
            err, PL_INVALID, "credentials",
            "PILOTLIGHT_ACCESS_KEY_ID and PILOTLIGHT_SECRET_ACCESS_KEY go together: only one of them is set");
    credential_make(&key, CREDENTIAL_ALL, PRESET_NOTE);
    if (strlen(id) >= sizeof(key.id) || strlen(secret) >= sizeof(key.secret))
        return pl_fail(err, PL_INVALID, "credentials",
                       "PILOTLIGHT_ACCESS_KEY_ID and PILOTLIGHT_SECRET_ACCESS_KEY have at most %d characters",
                       CREDENTIAL_ID_MAX);
    strcpy(key.id, id);
    strcpy(key.secret, secret);
    return credentials_put(c, &key, err) == PL_OK ? PL_OK : pl_err_prefix(err, "PILOTLIGHT_ACCESS_KEY_ID");
}

static enum pl_code ensure_keys(struct credentials *c, struct pl_err *err)
{
    const char *id = getenv("PILOTLIGHT_ACCESS_KEY_ID"), *secret = getenv("PILOTLIGHT_SECRET_ACCESS_KEY");
    struct credential key;
    if ((id || secret) && add_preset(c, id, secret, err) != PL_OK)
        return err->code;
    if (!usable(c, CREDENTIAL_ALL, NULL) && credentials_count(c) == 0) {
        credential_make(&key, CREDENTIAL_ALL, FIRST_NOTE);
        if (credentials_add(c, &key, err) != PL_OK)
            return err->code;
    }
    if (usable(c, CREDENTIAL_ARTIFACTS, WORKER_NOTE))
        return PL_OK;
    credential_make(&key, CREDENTIAL_ARTIFACTS, WORKER_NOTE);
    return credentials_add(c, &key, err);
}

/* s3.* of the worker, where --set has said nothing of it. */
static void tell_worker(struct up_layout *l, const struct credential *key)
{
    json_t *config = l->services[UP_WORKER].config, *s3 = json_object_get(config, "s3");
    bool tls = json_object_get(l->services[UP_GATEWAY].config, "tls") != NULL;
    if (json_object_get(s3, "endpoint") || json_object_get(s3, "region") || json_object_get(s3, "access_key_id"))
        return;
    pl_cleanup(pl_free_p) char *address = up_host_port(l->probe_host, l->services[UP_GATEWAY].port);
    pl_cleanup(pl_free_p) char *url = pl_format("http%s://%s", tls ? "s" : "", address);
    if (!s3) {
        s3 = json_object();
        json_object_set_new(config, "s3", s3);
    }
    json_object_set_new(s3, "endpoint", json_string(url));
    json_object_set_new(s3, "region", json_string("us-east-1"));
    json_object_set_new(s3, "path_style", json_string("true"));
    json_object_set_new(s3, "access_key_id", json_string(key->id));
    json_object_set_new(s3, "secret_access_key", json_string(key->secret));
}

enum pl_code up_credentials(struct up_layout *l, struct pl_err *err)
{
    pl_cleanup(credentials_free_p) struct credentials *c = NULL;
    pl_cleanup(pl_close_p) int lock = -1;
    if (credentials_lock(l->credentials_path, &lock, err) != PL_OK ||
        credentials_load(&c, l->credentials_path, err) != PL_OK || ensure_keys(c, err) != PL_OK ||
        credentials_save(c, l->credentials_path, err) != PL_OK)
        return err->code;
    tell_worker(l, usable(c, CREDENTIAL_ARTIFACTS, WORKER_NOTE));
    return PL_OK;
}
