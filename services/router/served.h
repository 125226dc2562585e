/* served - endpoints as control says they are to be served, shared by who needs them.
 *
 * Each variant of each generation that the core knows has a struct served_variant as its 'user': what its instances are
 * started from, and where its numbers go. It lives until the core forgets the variant, which may be long after control
 * has replaced it. */
#ifndef ROUTER_SERVED_H
#define ROUTER_SERVED_H

#include "pilotlight/internal/v1/watch.pb-c.h"

struct served;
struct usage;
struct usage_series;

struct served_variant {
    struct served *endpoint;
    const Pilotlight__Internal__V1__ServedVariant *message; /* the endpoint's */
    struct usage_series *series;
};

struct served {
    unsigned refs;
    Pilotlight__Internal__V1__ServedEndpoint *message;
    struct usage *usage;
    struct served_variant *variants; /* message->n_variants */
};

/* Copies 'm'. One reference is the caller's, and one is each variant's, given back by served_variant_forget(). */
struct served *served_new(const Pilotlight__Internal__V1__ServedEndpoint *m, struct usage *u);
void served_unref(struct served *s); /* NULL is fine */
void served_variant_forget(struct served_variant *v);

#endif
