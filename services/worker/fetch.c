#include "fetch.h"

#include "artifact_uri.h"
#include "base/text.h"
#include "base/time.h"
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 10000
#define STALL_TIMEOUT_MS   30000
#define ATTEMPTS           4
#define BACKOFF_MS         250

static const char *or_env(const char *set, const char *variable, const char *fallback)
{
    const char *value = getenv(variable);

    if (set[0])
        return set;
    return value && value[0] ? value : fallback;
}

/* A typing error should be heard of when the worker starts, not when the first model is fetched. */
static enum pl_code check_ca_file(const char *path, struct pl_err *err)
{
    static const char mark[] = "-----BEGIN CERTIFICATE-----";
    FILE *f = fopen(path, "re");
    bool found = false;
    char line[128];

    if (!f)
        return pl_fail(err, PL_INVALID, "fetch_ca_file", "fetch_ca_file: cannot open '%s': %s", path, strerror(errno));
    while (!found && fgets(line, sizeof(line), f))
        found = strncmp(line, mark, sizeof(mark) - 1) == 0;
    (void)fclose(f);
    if (found)
        return PL_OK;
    return pl_fail(err, PL_INVALID, "fetch_ca_file", "fetch_ca_file: '%s' has no certificate in PEM form", path);
}

enum pl_code fetch_options_init(struct fetch_options *o, const struct worker_config *c, struct pl_err *err)
{
    bool own_keys = c->s3_access_key_id[0] != '\0';

    *o = (struct fetch_options){
        .limit_bytes = c->artifact_limit_bytes,
        .timeout_ms = c->fetch_timeout_ms,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .stall_timeout_ms = STALL_TIMEOUT_MS,
        .backoff_ms = BACKOFF_MS,
        .attempts = ATTEMPTS,
        .allow_http = c->allow_http,
        .ca_file = c->fetch_ca_file,
        .roots = (const char *const *)c->file_roots.items,
        .root_count = c->file_roots.count,
        .s3_endpoint = c->s3_endpoint,
        .s3_region = or_env(c->s3_region, "AWS_REGION", "us-east-1"),
        .s3_access_key_id = or_env(c->s3_access_key_id, "AWS_ACCESS_KEY_ID", ""),
        .s3_secret_access_key = or_env(c->s3_secret_access_key, "AWS_SECRET_ACCESS_KEY", ""),
        /* A token belongs to the keys it came with. */
        .s3_session_token = own_keys ? c->s3_session_token : or_env(c->s3_session_token, "AWS_SESSION_TOKEN", ""),
        .s3_path_style = c->s3_path_style,
    };
    return c->fetch_ca_file[0] ? check_ca_file(c->fetch_ca_file, err) : PL_OK;
}

/* False: cancelled, or the time is over. */
static bool wait_before_retry(const struct fetch_attempt *a, int64_t wait_ms)
{
    int64_t until_ms = pl_now_ms() + wait_ms / 2 + (int64_t)(pl_random_u64() % (uint64_t)(wait_ms / 2 + 1));

    if (until_ms >= a->deadline_ms)
        return false;
    while (pl_now_ms() < until_ms) {
        const struct timespec slice = { .tv_nsec = 20000000 };

        if (atomic_load(a->cancelled))
            return false;
        (void)nanosleep(&slice, NULL);
    }
    return true;
}

static enum pl_code attempt(const struct fetch_attempt *a, struct pl_err *err)
{
    if (sink_restart(a->sink, err) != PL_OK)
        return err->code;
    return a->uri->scheme == ARTIFACT_FILE ? fetch_file(a, err) : fetch_http(a, err);
}

static enum pl_code attempts(const struct fetch_attempt *a, struct pl_err *err)
{
    int64_t wait_ms = a->options->backoff_ms;

    for (int i = 1;; i++, wait_ms *= 2) {
        enum pl_code code = attempt(a, err);

        if (code != PL_UNAVAILABLE)
            return code;
        if (i >= a->options->attempts || !wait_before_retry(a, wait_ms)) {
            struct pl_err last = *err;

            return pl_fail_reason(err, PL_UNAVAILABLE, "ARTIFACT_SOURCE", "artifact_uri", "%.900s (%d attempts)",
                                  last.message, i);
        }
    }
}

enum pl_code fetch(const struct fetch_options *o, const char *uri, int out_fd, const atomic_bool *cancelled,
                   struct fetch_result *out, struct pl_err *err)
{
    struct sink sink;
    struct artifact_uri where;
    struct fetch_attempt a = {
        .options = o, .uri = &where, .cancelled = cancelled, .deadline_ms = pl_now_ms() + o->timeout_ms, .sink = &sink
    };
    enum pl_code code;

    if (artifact_uri_parse(&where, uri, err) != PL_OK)
        return err->code;
    code = sink_open(&sink, out_fd, o->limit_bytes, err);
    if (code == PL_OK)
        code = attempts(&a, err);
    if (code == PL_OK)
        code = sink_finish(&sink, out->sha256, err);
    if (code == PL_OK)
        out->bytes = sink.bytes;
    else
        code = atomic_load(cancelled) ? pl_fail(err, PL_CANCELLED, NULL, "fetching '%.300s' was cancelled", where.shown)
                                      : pl_err_prefix(err, "artifact '%.300s'", where.shown);
    sink_done(&sink);
    artifact_uri_done(&where);
    return code;
}
