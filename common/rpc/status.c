/* The one place where our codes and gRPC's meet, and where an error's field, reason, retry time and model status become
 * the standard google.rpc details and come back. */
#include "core.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOMAIN       "pilotlight"
#define MODEL_REASON "MODEL_ERROR"
#define TYPE_PREFIX  "type.googleapis.com/"

/* PL_MODEL has no row of its own in gRPC: a model's 4xx is the caller's input, all else is its own failure. */
static const struct {
    grpc_status_code status;
    const char *name;
} codes[PL_CODE_COUNT] = {
    [PL_OK] = { GRPC_STATUS_OK, "OK" },
    [PL_CANCELLED] = { GRPC_STATUS_CANCELLED, "CANCELLED" },
    [PL_UNKNOWN] = { GRPC_STATUS_UNKNOWN, "UNKNOWN" },
    [PL_INVALID] = { GRPC_STATUS_INVALID_ARGUMENT, "INVALID_ARGUMENT" },
    [PL_DEADLINE] = { GRPC_STATUS_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED" },
    [PL_NOT_FOUND] = { GRPC_STATUS_NOT_FOUND, "NOT_FOUND" },
    [PL_EXISTS] = { GRPC_STATUS_ALREADY_EXISTS, "ALREADY_EXISTS" },
    [PL_DENIED] = { GRPC_STATUS_PERMISSION_DENIED, "PERMISSION_DENIED" },
    [PL_EXHAUSTED] = { GRPC_STATUS_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED" },
    [PL_PRECONDITION] = { GRPC_STATUS_FAILED_PRECONDITION, "FAILED_PRECONDITION" },
    [PL_ABORTED] = { GRPC_STATUS_ABORTED, "ABORTED" },
    [PL_OUT_OF_RANGE] = { GRPC_STATUS_OUT_OF_RANGE, "OUT_OF_RANGE" },
    [PL_UNIMPLEMENTED] = { GRPC_STATUS_UNIMPLEMENTED, "UNIMPLEMENTED" },
    [PL_INTERNAL] = { GRPC_STATUS_INTERNAL, "INTERNAL" },
    [PL_UNAVAILABLE] = { GRPC_STATUS_UNAVAILABLE, "UNAVAILABLE" },
    [PL_DATA_LOSS] = { GRPC_STATUS_DATA_LOSS, "DATA_LOSS" },
    [PL_UNAUTHENTICATED] = { GRPC_STATUS_UNAUTHENTICATED, "UNAUTHENTICATED" },
    [PL_MODEL] = { GRPC_STATUS_INTERNAL, "INTERNAL" },
};

grpc_status_code rpc_status_code(const struct pl_err *err)
{
    assert(err->code < PL_CODE_COUNT);
    if (err->code == PL_MODEL && err->model_status >= 400 && err->model_status < 500)
        return GRPC_STATUS_INVALID_ARGUMENT;
    return codes[err->code].status;
}

static enum pl_code code_of(grpc_status_code status)
{
    for (unsigned i = 0; i < PL_MODEL; i++)
        if (codes[i].status == status)
            return (enum pl_code)i;
    return PL_UNKNOWN;
}

const char *rpc_status_name(grpc_status_code status)
{
    return codes[code_of(status)].name;
}

/* ---- out ---- */

/* At most these details go into one status: ErrorInfo, BadRequest or QuotaFailure, RetryInfo. */
#define MAX_DETAILS 3

struct details {
    Google__Protobuf__Any any[MAX_DETAILS];
    Google__Protobuf__Any *list[MAX_DETAILS];
    char type_url[MAX_DETAILS][64];
    size_t count;
};

static void details_add(struct details *d, const ProtobufCMessage *m)
{
    assert(d->count < MAX_DETAILS);
    Google__Protobuf__Any *any = &d->any[d->count];
    google__protobuf__any__init(any);
    snprintf(d->type_url[d->count], sizeof(d->type_url[0]), TYPE_PREFIX "%s", m->descriptor->name);
    any->type_url = d->type_url[d->count];
    any->value.len = protobuf_c_message_get_packed_size(m);
    any->value.data = malloc(any->value.len + 1);
    if (!any->value.data)
        pl_die("out of memory");
    protobuf_c_message_pack(m, any->value.data);
    d->list[d->count++] = any;
}

static void details_done(struct details *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->any[i].value.data);
}

/* protobuf-c's members lack the const that packing honours. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void add_error_info(struct details *d, const struct pl_err *err)
{
    char status[16];
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    Google__Rpc__ErrorInfo__MetadataEntry entries[2];
    Google__Rpc__ErrorInfo__MetadataEntry *list[2] = { &entries[0], &entries[1] };
    info.domain = text(DOMAIN);
    info.reason = text(err->reason[0] ? err->reason : err->code == PL_MODEL ? MODEL_REASON : pl_code_name(err->code));
    info.metadata = list;
    if (err->code == PL_MODEL) {
        google__rpc__error_info__metadata_entry__init(list[info.n_metadata]);
        snprintf(status, sizeof(status), "%d", err->model_status);
        list[info.n_metadata]->key = text("model_status");
        list[info.n_metadata++]->value = status;
    }
    if (err->field[0] && err->code != PL_INVALID) {
        google__rpc__error_info__metadata_entry__init(list[info.n_metadata]);
        list[info.n_metadata]->key = text("field");
        list[info.n_metadata++]->value = text(err->field);
    }
    details_add(d, &info.base);
}

static void add_bad_request(struct details *d, const struct pl_err *err)
{
    Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    Google__Rpc__BadRequest__FieldViolation *list[] = { &violation };
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    violation.field = text(err->field);
    violation.description = text(err->message);
    bad.field_violations = list;
    bad.n_field_violations = 1;
    details_add(d, &bad.base);
}

static void add_quota_failure(struct details *d, const struct pl_err *err)
{
    Google__Rpc__QuotaFailure__Violation violation = GOOGLE__RPC__QUOTA_FAILURE__VIOLATION__INIT;
    Google__Rpc__QuotaFailure__Violation *list[] = { &violation };
    Google__Rpc__QuotaFailure quota = GOOGLE__RPC__QUOTA_FAILURE__INIT;
    violation.subject = text(err->field[0] ? err->field : err->reason);
    violation.description = text(err->message);
    quota.violations = list;
    quota.n_violations = 1;
    details_add(d, &quota.base);
}

static void add_retry_info(struct details *d, const struct pl_err *err)
{
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
    delay.seconds = err->retry_after_ms / 1000;
    delay.nanos = (int32_t)(err->retry_after_ms % 1000) * 1000000;
    retry.retry_delay = &delay;
    details_add(d, &retry.base);
}

grpc_slice rpc_status_details(const struct pl_err *err)
{
    if (err->code == PL_OK)
        return grpc_empty_slice();
    struct details d = { .count = 0 };
    add_error_info(&d, err);
    if (err->code == PL_INVALID && err->field[0])
        add_bad_request(&d, err);
    if (err->code == PL_EXHAUSTED)
        add_quota_failure(&d, err);
    if (err->retry_after_ms > 0)
        add_retry_info(&d, err);

    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.code = (int32_t)rpc_status_code(err);
    status.message = text(err->message);
    status.n_details = d.count;
    status.details = d.list;
    grpc_slice s = grpc_slice_malloc(google__rpc__status__get_packed_size(&status));
    google__rpc__status__pack(&status, GRPC_SLICE_START_PTR(s));
    details_done(&d);
    return s;
}

/* ---- in: a peer's bytes, believed only as far as they fit ---- */

static void copy_text(char *out, size_t size, const char *s)
{
    snprintf(out, size, "%s", s ? s : "");
}

static void read_error_info(const ProtobufCMessage *m, struct pl_err *out)
{
    const Google__Rpc__ErrorInfo *info = (const Google__Rpc__ErrorInfo *)m;
    bool ours = strcmp(info->domain, DOMAIN) == 0;
    if (!ours || strcmp(info->reason, pl_code_name(out->code)) != 0)
        copy_text(out->reason, sizeof(out->reason), info->reason);
    for (size_t i = 0; ours && i < info->n_metadata; i++) {
        const Google__Rpc__ErrorInfo__MetadataEntry *e = info->metadata[i];
        if (strcmp(e->key, "field") == 0)
            copy_text(out->field, sizeof(out->field), e->value);
        if (strcmp(e->key, "model_status") == 0) {
            out->code = PL_MODEL;
            out->model_status = atoi(e->value);
        }
    }
    if (ours && strcmp(info->reason, MODEL_REASON) == 0)
        out->code = PL_MODEL;
}

static void read_bad_request(const ProtobufCMessage *m, struct pl_err *out)
{
    const Google__Rpc__BadRequest *bad = (const Google__Rpc__BadRequest *)m;
    if (bad->n_field_violations > 0)
        copy_text(out->field, sizeof(out->field), bad->field_violations[0]->field);
}

static void read_retry_info(const ProtobufCMessage *m, struct pl_err *out)
{
    const Google__Protobuf__Duration *d = ((const Google__Rpc__RetryInfo *)m)->retry_delay;
    if (!d || d->seconds < 0 || d->nanos < 0 || d->nanos >= 1000000000 || d->seconds > UINT32_MAX / 1000 - 1)
        return;
    out->retry_after_ms = (uint32_t)d->seconds * 1000 + (uint32_t)d->nanos / 1000000;
}

static const struct {
    const ProtobufCMessageDescriptor *descriptor;
    void (*read)(const ProtobufCMessage *m, struct pl_err *out);
} readers[] = {
    { &google__rpc__error_info__descriptor, read_error_info },
    { &google__rpc__bad_request__descriptor, read_bad_request },
    { &google__rpc__retry_info__descriptor, read_retry_info },
};

static void read_detail(const Google__Protobuf__Any *any, struct pl_err *out)
{
    const char *slash = strrchr(any->type_url, '/');
    const char *name = slash ? slash + 1 : any->type_url;
    for (size_t i = 0; i < PL_COUNT(readers); i++) {
        if (strcmp(name, readers[i].descriptor->name) != 0)
            continue;
        ProtobufCMessage *m = protobuf_c_message_unpack(readers[i].descriptor, NULL, any->value.len, any->value.data);
        if (m && m->descriptor)
            readers[i].read(m, out);
        if (m)
            protobuf_c_message_free_unpacked(m, NULL);
    }
}

static void read_details(grpc_slice bytes, struct pl_err *out)
{
    Google__Rpc__Status *s = google__rpc__status__unpack(NULL, GRPC_SLICE_LENGTH(bytes), GRPC_SLICE_START_PTR(bytes));
    if (!s)
        return;
    for (size_t i = 0; i < s->n_details; i++)
        read_detail(s->details[i], out);
    google__rpc__status__free_unpacked(s, NULL);
}

static const grpc_slice *find_details(const grpc_metadata_array *trailing)
{
    for (size_t i = 0; trailing && i < trailing->count; i++)
        if (grpc_slice_str_cmp(trailing->metadata[i].key, RPC_STATUS_DETAILS) == 0)
            return &trailing->metadata[i].value;
    return NULL;
}

bool rpc_status_has_details(const grpc_metadata_array *trailing)
{
    return find_details(trailing) != NULL;
}

void rpc_status_decode(grpc_status_code code, grpc_slice message, const grpc_metadata_array *trailing,
                       struct pl_err *out)
{
    *out = (struct pl_err){ .code = code_of(code) };
    if (code == GRPC_STATUS_OK)
        return;
    /* Through pl_fail, which makes it UTF-8 and cuts it. */
    pl_fail(out, out->code, NULL, "%.*s", (int)GRPC_SLICE_LENGTH(message), (const char *)GRPC_SLICE_START_PTR(message));
    const grpc_slice *details = find_details(trailing);
    if (details)
        read_details(*details, out);
}

/* ---- a status that travels alone ---- */

struct rpc_bytes *rpc_status_write(const struct pl_err *err)
{
    grpc_slice s = rpc_status_details(err);
    struct rpc_bytes *b = rpc_bytes_copy(GRPC_SLICE_START_PTR(s), GRPC_SLICE_LENGTH(s));
    grpc_slice_unref(s);
    return b;
}

void rpc_status_read(const struct rpc_bytes *status, struct pl_err *out)
{
    struct iovec span = { 0 };
    Google__Rpc__Status *s = NULL;
    if (rpc_bytes_spans(status, &span, 1) == 1)
        s = google__rpc__status__unpack(NULL, span.iov_len, span.iov_base);
    if (!s || s->code == GRPC_STATUS_OK) {
        (void)pl_fail(out, PL_UNKNOWN, NULL, "the server's status cannot be read");
    } else {
        *out = (struct pl_err){ .code = code_of((grpc_status_code)s->code) };
        (void)pl_fail(out, out->code, NULL, "%s", s->message);
        for (size_t i = 0; i < s->n_details; i++)
            read_detail(s->details[i], out);
    }
    if (s)
        google__rpc__status__free_unpacked(s, NULL);
}
