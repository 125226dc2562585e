/* record - messages to rows and rows to messages; the only place that knows both.
 *
 * Messages made here are on the heap and freed by record_free(). What a client sees of a resource (with tags, times and
 * version) is its "public" message: pilotlight.v1.Model, EndpointConfig or Endpoint. Errors: those of store.h;
 * PL_DATA_LOSS when a row's body is no message. Threads: with the store. */
#ifndef CONTROL_RECORD_H
#define CONTROL_RECORD_H

#include "store.h"

#include "pilotlight/internal/v1/record.pb-c.h"
#include "pilotlight/internal/v1/watch.pb-c.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/model.pb-c.h"

struct limits;

void *record_copy(const ProtobufCMessage *m); /* deep; same type */
void record_free(void *message);              /* NULL is fine */
void record_free_p(void *message_pointer);    /* for pl_cleanup */
/* To be freed with free(). */
void *record_pack(const ProtobufCMessage *m, size_t *out_len);
void *record_unpack(const ProtobufCMessageDescriptor *type, const void *bytes, size_t len, struct pl_err *err);

/* The row of a resource as a request describes it, not inserted yet: maps sorted, defaults filled in, tags left out.
 * The same content gives the same body. 'now_ms' is the wall clock; done with store_row_done(). */
void record_model_row(const Pilotlight__V1__Model *m, int64_t now_ms, struct store_row *out);
void record_config_row(const Pilotlight__V1__EndpointConfig *c, int64_t now_ms, struct store_row *out);
void record_endpoint_row(const Pilotlight__V1__CreateEndpointRequest *r, int64_t now_ms, struct store_row *out);

/* The public message of a row, NULL on error. */
void *record_read(struct store *s, const struct store_row *row, struct pl_err *err);
void *record_get(struct store *s, enum store_kind kind, const char *name, struct pl_err *err);
/* What a client knows each kind as. */
const ProtobufCMessageDescriptor *record_type(enum store_kind kind);

/* ---- endpoints ---- */

Pilotlight__Internal__V1__EndpointRecord *record_endpoint(const struct store_row *row, struct pl_err *err);
/* Packs 'm' into the row, in place of the body it had. */
void record_set_body(struct store_row *row, const ProtobufCMessage *m);
/* The config and its models as they are now, as generation 'number'; NULL with PL_NOT_FOUND naming the config or model.
 */
Pilotlight__Internal__V1__EndpointGeneration *record_generation(struct store *s, const char *config_name,
                                                                int64_t number, struct pl_err *err);
/* What a router gets of it. */
Pilotlight__Internal__V1__ServedEndpoint *record_served(const struct limits *l, const char *endpoint,
                                                        const Pilotlight__Internal__V1__EndpointGeneration *g);
/* What a host gets of one variant; borrows from 'g' and 'endpoint', only the struct is the caller's. */
void record_spec(const struct limits *l, const char *endpoint, const Pilotlight__Internal__V1__EndpointGeneration *g,
                 size_t variant, Pilotlight__Internal__V1__VariantSpec *out);
/* Digest and facts of a variant that was proven. */
void record_pin(Pilotlight__Internal__V1__VariantRecord *v,
                const Pilotlight__Internal__V1__PrepareModelResponse *proven);
/* Gives it the request's annotations instead of its own. */
void record_annotate(Pilotlight__Internal__V1__EndpointRecord **record, const Pilotlight__V1__UpdateEndpointRequest *r);
/* Replaces a string member of a heap message. */
void record_set_text(char **member, const char *text);

#endif
