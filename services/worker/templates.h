/* templates - processes that have a variant's model loaded, from which its instances are forked (sandbox/template.h).
 *
 * A model asks for one with PILOTLIGHT_SNAPSHOT=1 in its environment. The first start of a variant here is an ordinary
 * one, or the trial that proves its model; right after it a template is made, beside the road: it loads the model like
 * an instance, and is looked at from outside. More than one thread, or memory that copies would share and write to,
 * means no template: what is refused stays refused for this generation, and is said in the endpoint's log and in ours.
 * From then on a start of that variant takes a copy. One that dies is made again by the next start, after a pause that
 * grows; starts meanwhile are ordinary ones.
 *
 * It serves one variant of one endpoint in one generation and nobody else: a newer generation ends it, as do the end of
 * its endpoint, 'keep' without use, an instance that needs its memory, and more than 'limit' of them. It is an instance
 * to capacity: admitted, measured and counted like any other.
 *
 * Threads: with the turn.  Memory: owns them; templates_free() when no instance is left. */
#ifndef WORKER_TEMPLATES_H
#define WORKER_TEMPLATES_H

#include <stdbool.h>
#include <stdint.h>

struct capacity;
struct copies;
struct instance;
struct instance_stop;
struct instances;
struct loop;
struct network;
struct runtimes;
struct spawner;
struct templates;
struct worker_stats;
struct Pilotlight__Internal__V1__VariantSpec;

#define TEMPLATE_VARIABLE "PILOTLIGHT_SNAPSHOT"

struct templates_options {
    struct instances *instances;
    struct spawner *spawner;
    struct capacity *capacity;
    const struct runtimes *runtimes;
    const struct network *network;
    struct worker_stats *stats;
    int64_t keep_ms; /* without a start and without an instance of its variant; 0: none are made */
    int64_t limit;
};

struct templates *templates_new(struct loop *l, const struct templates_options *o);
void templates_free(struct templates *t); /* NULL is fine */

/* Of this variant, ready; NULL: none. Ends those of older generations. */
struct copies *templates_find(struct templates *t, const struct Pilotlight__Internal__V1__VariantSpec *spec);
/* When this instance of it has come up: makes one if it should have one. Why not is said in the instance's log. */
void templates_make(struct templates *t, const struct Pilotlight__Internal__V1__VariantSpec *spec, struct instance *in);
/* Ends the least recently used one that is not of this variant; 's' hears of its end. False: there is none. */
bool templates_evict(struct templates *t, const struct Pilotlight__Internal__V1__VariantSpec *spec,
                     struct instance_stop *s);
/* Its templates end: of all generations below 'generation', all with INT64_MAX. */
void templates_end(struct templates *t, const char *endpoint, int64_t generation);
/* A job of theirs is running: not to be freed yet. */
bool templates_busy(const struct templates *t);

#endif
