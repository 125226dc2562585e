/* report_queue - batches that control has not taken yet, in order; on disk too when there is a spool.
 *
 * A batch may be sent when it is written: so one that control has seen is never lost by us with its number. The spool
 * is cleared when the queue is empty. When the disk fails that is logged, and batches are kept in memory alone until it
 * works again.
 * Threads: with the turn; the disk belongs to a job of the loop.  Memory: owned. */
#ifndef ROUTER_REPORT_QUEUE_H
#define ROUTER_REPORT_QUEUE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct loop;
struct report_queue;

/* Takes up what a spool at 'path' (NULL: none) holds. 'written' is called after report_queue_write(), never from inside
 * it, when there are batches that may be sent now. */
struct report_queue *report_queue_new(struct loop *l, const char *path, size_t batch_max, void (*written)(void *arg),
                                      void *arg);
void report_queue_free(struct report_queue *q); /* not while busy; NULL is fine */

/* Takes the bytes over. */
void report_queue_add(struct report_queue *q, struct pl_buf *batch);
/* Writes what is not written yet, if anything, and clears the spool when nothing is left. */
void report_queue_write(struct report_queue *q);
/* The i-th batch, if it may be sent; lives until it is dropped. */
bool report_queue_written(const struct report_queue *q, size_t i, const void **out, size_t *out_len);
/* The first 'count' have been taken. */
void report_queue_drop(struct report_queue *q, size_t count);

size_t report_queue_bytes(const struct report_queue *q);
bool report_queue_busy(const struct report_queue *q);

#endif
