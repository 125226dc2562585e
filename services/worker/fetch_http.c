/* https://, http:// and s3:// artifacts, one attempt each, by libcurl. */
#include "artifact_uri.h"
#include "base/mem.h"
#include "base/time.h"
#include "fetch.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REDIRECTS   5
#define MIN_BYTES_PER_S 1024L
/* S3's digest of an empty body: a GET has none. */
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct transfer {
    const struct fetch_attempt *attempt;
    CURL *curl;
    struct curl_slist *headers;
    char *url, *keys, *signing;
    char why[CURL_ERROR_SIZE];
    struct pl_err failed; /* code PL_OK until writing failed */
};

enum pl_code fetch_global_init(struct pl_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return pl_fail(err, PL_INTERNAL, NULL, "libcurl does not start");
    return PL_OK;
}

/* Errors that another attempt may not meet. */
static const CURLcode passing[] = {
    CURLE_COULDNT_RESOLVE_PROXY,
    CURLE_COULDNT_RESOLVE_HOST,
    CURLE_COULDNT_CONNECT,
    CURLE_WEIRD_SERVER_REPLY,
    CURLE_HTTP2,
    CURLE_HTTP2_STREAM,
    CURLE_PARTIAL_FILE,
    CURLE_OPERATION_TIMEDOUT,
    CURLE_GOT_NOTHING,
    CURLE_SEND_ERROR,
    CURLE_RECV_ERROR,
    CURLE_SSL_CONNECT_ERROR,
};

static const struct {
    long status;
    enum pl_code code;
    const char *reason;
    const char *hint; /* after "the server answered 404" */
} statuses[] = {
    { 301, PL_PRECONDITION, "ARTIFACT_MISSING", " (for S3: is the bucket in the region s3.region?)" },
    { 307, PL_PRECONDITION, "ARTIFACT_MISSING", " (for S3: is the bucket in the region s3.region?)" },
    { 401, PL_PRECONDITION, "ARTIFACT_DENIED", "" },
    { 403, PL_PRECONDITION, "ARTIFACT_DENIED", " (for S3: may s3.access_key_id read it, and is it there?)" },
    { 404, PL_PRECONDITION, "ARTIFACT_MISSING", "" },
    { 408, PL_UNAVAILABLE, "ARTIFACT_SOURCE", "" },
    { 410, PL_PRECONDITION, "ARTIFACT_MISSING", "" },
    { 429, PL_UNAVAILABLE, "ARTIFACT_SOURCE", "" },
};

static enum pl_code status_failed(long status, struct pl_err *err)
{
    for (size_t i = 0; i < PL_COUNT(statuses); i++)
        if (statuses[i].status == status)
            return pl_fail_reason(err, statuses[i].code, statuses[i].reason, "artifact_uri",
                                  "the server answered %ld%s", status, statuses[i].hint);
    if (status >= 500)
        return pl_fail_reason(err, PL_UNAVAILABLE, "ARTIFACT_SOURCE", "artifact_uri", "the server answered %ld",
                              status);
    return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_MISSING", "artifact_uri", "the server answered %ld", status);
}

static enum pl_code transfer_failed(const struct transfer *t, CURLcode code, struct pl_err *err)
{
    const char *why = t->why[0] ? t->why : curl_easy_strerror(code);

    for (size_t i = 0; i < PL_COUNT(passing); i++)
        if (passing[i] == code)
            return pl_fail_reason(err, PL_UNAVAILABLE, "ARTIFACT_SOURCE", "artifact_uri", "%s", why);
    if (code == CURLE_FILESIZE_EXCEEDED)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_TOO_LARGE", "artifact_uri",
                              "larger than this host's artifact_limit of %lld bytes",
                              (long long)t->attempt->options->limit_bytes);
    return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", "artifact_uri", "%s", why);
}

static long http_status(const struct transfer *t)
{
    long status = 0;

    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* The body of an error is not the artifact: the transfer ends at its first byte. */
static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;

    n *= size;
    if (http_status(t) != 200)
        return 0;
    return sink_write(t->attempt->sink, bytes, n, &t->failed) == PL_OK ? n : 0;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    const struct transfer *t = arg;

    (void)total, (void)now, (void)up_total, (void)up_now;
    return atomic_load(t->attempt->cancelled);
}

/* Without keys the request goes unsigned, for public buckets. */
static void set_up_s3(struct transfer *t)
{
    const struct fetch_options *o = t->attempt->options;

    t->url = artifact_s3_url(t->attempt->uri, o->s3_endpoint, o->s3_region, o->s3_path_style);
    (void)curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https"); /* the operator chose the endpoint */
    if (!o->s3_access_key_id[0])
        return;
    t->keys = pl_format("%s:%s", o->s3_access_key_id, o->s3_secret_access_key);
    t->signing = pl_format("aws:amz:%s:s3", o->s3_region);
    (void)curl_easy_setopt(t->curl, CURLOPT_USERPWD, t->keys);
    (void)curl_easy_setopt(t->curl, CURLOPT_AWS_SIGV4, t->signing);
    t->headers = curl_slist_append(t->headers, "x-amz-content-sha256: " EMPTY_SHA256);
    if (o->s3_session_token[0]) {
        pl_cleanup(pl_free_p) char *token = pl_format("x-amz-security-token: %s", o->s3_session_token);

        t->headers = curl_slist_append(t->headers, token);
    }
    (void)curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
}

static void set_up_web(struct transfer *t)
{
    const char *protocols = t->attempt->options->allow_http ? "http,https" : "https";

    t->url = pl_strdup(t->attempt->uri->url);
    (void)curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, protocols);
    (void)curl_easy_setopt(t->curl, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
    (void)curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(t->curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
}

static void set_up(struct transfer *t)
{
    const struct fetch_options *o = t->attempt->options;
    int64_t left_ms = t->attempt->deadline_ms - pl_now_ms();

    (void)curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "pilotlight/" PL_VERSION);
    (void)curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->why);
    (void)curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
    (void)curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    (void)curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long)(left_ms > 1 ? left_ms : 1));
    (void)curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, MIN_BYTES_PER_S);
    (void)curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME, (long)((o->stall_timeout_ms + 999) / 1000));
    (void)curl_easy_setopt(t->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)o->limit_bytes);
    if (o->ca_file[0]) /* the folder of this system's own stays as libcurl was built */
        (void)curl_easy_setopt(t->curl, CURLOPT_CAINFO, o->ca_file);
    if (t->attempt->uri->scheme == ARTIFACT_S3)
        set_up_s3(t);
    else
        set_up_web(t);
    (void)curl_easy_setopt(t->curl, CURLOPT_URL, t->url);
}

static enum pl_code run(struct transfer *t, struct pl_err *err)
{
    CURLcode code = curl_easy_perform(t->curl);
    long status = http_status(t);

    if (t->failed.code != PL_OK) {
        *err = t->failed;
        return err->code;
    }
    if (status >= 300 && code != CURLE_TOO_MANY_REDIRECTS && code != CURLE_UNSUPPORTED_PROTOCOL)
        return status_failed(status, err);
    if (code != CURLE_OK)
        return transfer_failed(t, code, err);
    return status == 200 ? PL_OK : status_failed(status, err);
}

enum pl_code fetch_http(const struct fetch_attempt *a, struct pl_err *err)
{
    struct transfer t = { .attempt = a, .curl = curl_easy_init() };
    enum pl_code code;

    if (a->uri->scheme == ARTIFACT_HTTP && !a->options->allow_http) {
        curl_easy_cleanup(t.curl);
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_DENIED", "artifact_uri",
                              "http:// is not encrypted, and allow_http is off on this host");
    }
    if (!t.curl)
        pl_die("libcurl: out of memory");
    set_up(&t);
    code = run(&t, err);
    curl_easy_cleanup(t.curl);
    curl_slist_free_all(t.headers);
    free(t.url);
    free(t.keys);
    free(t.signing);
    return code;
}
