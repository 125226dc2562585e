#include "report_queue.h"

#include "base/list.h"
#include "base/mem.h"
#include "log/log.h"
#include "loop/loop.h"
#include "spool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct batch {
    struct list link;
    void *bytes;
    size_t len;
    bool written;
};

struct report_queue {
    struct loop *loop;
    struct list batches; /* first to last; written ones come first */
    size_t bytes;
    struct spool *spool; /* NULL: none */
    bool spooled;        /* something is in it */
    bool failing;        /* the last attempt to write failed; the next may not */
    void (*written)(void *arg);
    void *arg;
    /* The job: appends these, which stay in 'batches', or clears the spool when there are none. */
    struct loop_job job;
    bool busy;
    struct batch **writing;
    size_t writing_count;
    struct pl_err failed;
};

static void add(struct report_queue *q, void *bytes, size_t len, bool written)
{
    struct batch *b = PL_NEW(struct batch);

    b->bytes = bytes;
    b->len = len;
    b->written = written;
    q->bytes += len;
    list_push_back(&q->batches, &b->link);
}

void report_queue_add(struct report_queue *q, struct pl_buf *batch)
{
    size_t len;
    char *bytes = pl_buf_take(batch, &len);

    add(q, bytes, len, !q->spool);
}

/* ---- the disk ---- */

static void work(struct loop_job *j)
{
    struct report_queue *q = PL_CONTAINER(j, struct report_queue, job);
    enum pl_code code = PL_OK;

    if (q->writing_count == 0)
        code = spool_clear(q->spool, &q->failed);
    for (size_t i = 0; i < q->writing_count && code == PL_OK; i++)
        code = spool_append(q->spool, q->writing[i]->bytes, q->writing[i]->len, &q->failed);
    q->failed.code = code;
}

static void say_failed(const struct pl_err *why)
{
    log_error("report_spool_failed", LOG_CODE(why), LOG_ERR(why),
              LOG_STR("effect", "reports that control has not taken are lost when this process is killed"));
}

static void worked(struct loop_job *j)
{
    struct report_queue *q = PL_CONTAINER(j, struct report_queue, job);

    q->busy = false;
    for (size_t i = 0; i < q->writing_count; i++)
        q->writing[i]->written = true;
    q->spooled = q->writing_count > 0 || (q->spooled && q->failed.code != PL_OK);
    free(q->writing);
    q->writing = NULL;
    q->writing_count = 0;
    if (q->failed.code != PL_OK && !q->failing)
        say_failed(&q->failed);
    else if (q->failed.code == PL_OK && q->failing)
        log_info("report_spool_works_again");
    q->failing = q->failed.code != PL_OK;
    q->written(q->arg);
}

void report_queue_write(struct report_queue *q)
{
    if (q->busy || !q->spool)
        return;
    list_each(it, &q->batches)
    {
        struct batch *b = list_entry(it, struct batch, link);

        if (b->written)
            continue;
        q->writing = pl_grow(q->writing, q->writing_count + 1, sizeof(struct batch *));
        q->writing[q->writing_count++] = b;
    }
    if (q->writing_count == 0 && (!q->spooled || !list_empty(&q->batches)))
        return;
    q->busy = true;
    loop_job(q->loop, &q->job);
}

/* ---- to control ---- */

bool report_queue_written(const struct report_queue *q, size_t i, const void **out, size_t *out_len)
{
    list_each(it, &q->batches)
    {
        const struct batch *b = list_entry(it, struct batch, link);

        if (!b->written)
            return false;
        if (i-- > 0)
            continue;
        *out = b->bytes;
        *out_len = b->len;
        return true;
    }
    return false;
}

void report_queue_drop(struct report_queue *q, size_t count)
{
    for (; count > 0; count--) {
        struct batch *b = list_first(&q->batches, struct batch, link);

        assert(b && b->written);
        list_remove(&b->link);
        q->bytes -= b->len;
        free(b->bytes);
        free(b);
    }
}

size_t report_queue_bytes(const struct report_queue *q)
{
    return q->bytes;
}

bool report_queue_busy(const struct report_queue *q)
{
    return q->busy;
}

/* ---- start and end ---- */

static void found(void *arg, const void *bytes, size_t len)
{
    struct report_queue *q = arg;
    void *copy = pl_new0(1, len);

    memcpy(copy, bytes, len);
    add(q, copy, len, true);
    q->spooled = true;
}

struct report_queue *report_queue_new(struct loop *l, const char *path, size_t batch_max, void (*written)(void *arg),
                                      void *arg)
{
    struct report_queue *q = PL_NEW(struct report_queue);
    struct pl_err err;

    q->loop = l;
    list_init(&q->batches);
    q->written = written;
    q->arg = arg;
    q->job.work = work;
    q->job.done = worked;
    if (path && spool_open(&q->spool, path, batch_max, found, q, &err) != PL_OK)
        say_failed(&err);
    if (q->bytes > 0)
        log_info("report_spool_read", LOG_UINT("bytes", q->bytes));
    return q;
}

void report_queue_free(struct report_queue *q)
{
    if (!q)
        return;
    list_each_safe(it, &q->batches)
    {
        struct batch *b = list_entry(it, struct batch, link);

        free(b->bytes);
        free(b);
    }
    spool_close(q->spool);
    free(q);
}
