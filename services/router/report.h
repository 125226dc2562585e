/* report - tells control what was measured: each second at most, and nothing when nothing happened.
 *
 * One second: a request ends, usage.c says so, its variant's measure is dirty and the timer is set. When it fires, all
 * dirty measures become one batch with the next sequence number; the batch is written to the spool and sent; answered,
 * it is forgotten. Control counts a (router, epoch, sequence) once, so a batch that is not answered is sent again as it
 * is, also by the next start of this router, which finds it in the spool. So a kill loses at most what has come
 * together since the last batch, and nothing is counted twice. While control is away batches are kept, up to
 * REPORT_KEPT_BYTES; beyond that metrics are left out, but not what is to be billed, of which a batch is made once a
 * minute then.
 *
 * Threads: with the turn; the disk is written by a job of the loop.  Memory: owned. */
#ifndef ROUTER_REPORT_H
#define ROUTER_REPORT_H

#include "measure.h"
#include "rpc/rpc.h"

struct loop;
struct metrics;
struct report;

#define REPORT_KEPT_BYTES ((size_t)32 << 20)

struct report_options {
    struct loop *loop;
    struct rpc *rpc;
    struct metrics *metrics; /* NULL is fine */
    const char *control;     /* gRPC target */
    struct rpc_tls tls;
    const char *router_id;
    int64_t router_epoch;
    size_t kept_bytes;      /* 0 = REPORT_KEPT_BYTES */
    const char *spool_path; /* NULL = none: what is not answered is lost with the process */
};

/* Reads the spool: blocks, at start only. A spool that cannot be used is logged, and done without. */
struct report *report_new(const struct report_options *o);
void report_start(struct report *r); /* sends from now on */
void report_free(struct report *r);  /* when report_idle(), or never started; NULL is fine */

/* A variant's numbers. To free one, what it has is packed first. */
struct measure *report_measure_new(struct report *r, const char *endpoint, const char *variant);
void report_measure_free(struct report *r, struct measure *m);
void report_ended(struct report *r, struct measure *m, const struct usage_facts *f);
void report_gauges(struct report *r, struct measure *m, const struct measure_gauges *g);
/* The part of its memory limit that an instance uses, 0..100 and a little more. */
void report_memory(struct report *r, struct measure *m, int32_t memory_mb, double percent);

/* The end of the service: tells what there is now, and gives up after two seconds. */
void report_drain(struct report *r);
bool report_idle(const struct report *r);

#endif
