#include "client.h"
#include "command.h"
#include "invoke_run.h"
#include "paths.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX ((size_t)256 << 20) /* of a file of rows; a single call's limit is the server's */

/* The body from the second word, -f or standard input into 'buf'; no body is an empty one. */
static enum ctl_exit read_body(const struct args *a, struct pl_buf *buf)
{
    const char *word = a->word_count > 1 ? a->words[1] : NULL, *file = args_text(a, "file");
    struct pl_err err;
    if (word && file) {
        fprintf(stderr, "pilotlight invoke: give the body as a word or with -f, not both\n");
        return EXIT_USAGE;
    }
    if (word && strcmp(word, "-")) {
        pl_buf_adds(buf, word);
        return EXIT_OK;
    }
    if ((word || file) && paths_read(file ? file : "-", buf, &err) != PL_OK)
        return exit_report_input(&err);
    return EXIT_OK;
}

/* Lines with something in them, without their ends ("\n", "\r\n"). */
static struct invoke_body *split_rows(const struct pl_buf *buf, size_t *out_count)
{
    struct invoke_body *rows = NULL;
    size_t count = 0, room = 0;
    const char *at = buf->data, *end = buf->data + buf->len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop ? stop : end) - at);
        size_t kept = n && at[n - 1] == '\r' ? n - 1 : n;
        if (kept && count == room) {
            room = room ? room * 2 : 64;
            rows = pl_grow(rows, room, sizeof(*rows));
        }
        if (kept)
            rows[count++] = (struct invoke_body){ at, kept };
        at += n + 1;
    }
    *out_count = count;
    return rows;
}

static enum ctl_exit invoke(const struct args *a, struct invoke_plan *plan)
{
    pl_cleanup(client_free_p) struct client *c = client_open(a);
    struct invoke_result result;
    if (!c)
        return EXIT_USAGE;
    invoke_run(c, plan, &result);
    fflush(stdout);
    if (plan->calls > 1)
        latency_print(&result.latency, result.elapsed_us, plan->concurrency, stderr);
    latency_done(&result.latency);
    pl_cleanup(pl_free_p) char *said = result.said;
    if (result.first.code == PL_OK)
        return EXIT_OK;
    return exit_report_text(stderr, &result.first, said ? said : result.first.message);
}

enum ctl_exit cmd_invoke(const struct args *a)
{
    pl_cleanup(pl_buf_done) struct pl_buf buf = PL_BUF_INIT(BODY_MAX);
    pl_cleanup(pl_free_p) struct invoke_body *rows = NULL;
    enum ctl_exit code = read_body(a, &buf);
    struct invoke_body whole = { buf.data ? buf.data : "", buf.len };
    size_t row_count = 0;
    if (code != EXIT_OK)
        return code;
    if (args_flag(a, "rows") && !(rows = split_rows(&buf, &row_count))) {
        fprintf(stderr, "pilotlight invoke: --rows, but the body has no line\n");
        return EXIT_USAGE;
    }
    struct invoke_plan plan = {
        .endpoint = a->words[0],
        .content_type = args_text(a, "content-type"),
        .accept = args_text(a, "accept"),
        .target_variant = args_text(a, "target-variant"),
        .custom_attributes = args_text(a, "custom-attributes"),
        .inference_id = args_text(a, "inference-id"),
        .bodies = rows ? rows : &whole,
        .body_count = rows ? row_count : 1,
        .calls = args_given(a, "repeat") ? (size_t)args_number(a, "repeat")
                 : rows                  ? row_count
                                         : 1,
        .timeout_ms = args_number(a, "timeout"),
        .quiet = args_flag(a, "quiet"),
        .timings = args_flag(a, "verbose"),
        .answers = stdout,
        .notes = stderr,
    };
    plan.concurrency = (unsigned)args_number(a, "concurrency");
    if (plan.concurrency > plan.calls)
        plan.concurrency = (unsigned)plan.calls;
    return invoke(a, &plan);
}
