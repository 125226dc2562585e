/* operation - one endpoint on its way between two settled statuses, and the proving of its variants. Inside of
 * lifecycle.c.
 *
 * A variant is waiting (for its time, or for a host), running on a host, or proven. */
#ifndef CONTROL_OPERATION_H
#define CONTROL_OPERATION_H

#include "lifecycle.h"
#include "record.h"

#include <uthash.h>

/* Proofs that run at the same time, over all endpoints. */
#define OPERATION_PREPARES_MAX 32

enum operation_phase {
    OPERATION_PREPARE, /* variants are being proven                        */
    OPERATION_PUBLISH, /* routers have been told, and have to acknowledge  */
    OPERATION_FAIL,    /* it failed, and the row has to say so             */
    OPERATION_DRAIN,   /* requests in flight have to end, then the row goes */
};

struct preparation {
    struct lifecycle *lifecycle;
    struct operation *operation;
    size_t variant; /* index in the generation */
    bool proven;
    void *call;                     /* not NULL: running on 'host' */
    char host[LIFECYCLE_HOST_SIZE]; /* of the last attempt; "" before the first */
    int64_t next_ms;                /* waiting: not before; INT64_MAX = until a host comes */
    unsigned attempts;
    struct pl_err last; /* why the last attempt failed */
};

struct operation {
    UT_hash_handle hh;
    char name[STORE_NAME_SIZE];
    enum operation_phase phase;
    int64_t deadline_ms;
    int64_t not_before_ms; /* a step could not be written: the next one then; 0 = none */
    int64_t version;       /* what routers have to acknowledge */
    bool serving;          /* OPERATION_DRAIN: routers know it */
    Pilotlight__Internal__V1__EndpointGeneration *generation; /* being proven; owned */
    struct preparation *preparations;                         /* one per variant */
    char failure[1024];                                       /* OPERATION_FAIL: why */
};

struct lifecycle {
    struct store *store;
    const struct limits *limits;
    struct lifecycle_ports ports;
    struct lifecycle_settings settings;
    struct operation *operations; /* by name */
    unsigned running;             /* preparations with a call */
    int64_t wake_ms;              /* asked for; INT64_MAX = not at all */
};

struct operation *operation_new(const char *name, enum operation_phase phase, int64_t deadline_ms);
void operation_free(struct lifecycle *l, struct operation *op); /* cancels its calls */
/* What there is to prove; copied. */
void operation_set_generation(struct lifecycle *l, struct operation *op,
                              const Pilotlight__Internal__V1__EndpointGeneration *g);

enum prepare_state { PREPARE_WAITS, PREPARE_PROVEN, PREPARE_FAILED };
/* Starts what is due. PREPARE_FAILED: op->failure says why. */
enum prepare_state operation_prepare(struct lifecycle *l, struct operation *op);
/* Who waits for a host tries again. */
void operation_hosts_changed(struct lifecycle *l, struct operation *op);
/* A step would do something now. Cheap: it is asked of all operations whenever anything happens to one. */
bool operation_is_due(const struct lifecycle *l, const struct operation *op, int64_t now_ms);
/* What is in its way just now; false: nothing that is known. */
bool operation_waits_for(const struct lifecycle *l, const struct operation *op, struct pl_err *out);
/* When it is due for no other reason than the time. */
int64_t operation_wake_ms(const struct lifecycle *l, const struct operation *op, int64_t now_ms);

#endif
