/* trace_text - traces as texts, for tests. A file that includes this uses read_trace(). */
#ifndef TRACE_TEXT_H
#define TRACE_TEXT_H

#include "unit_test.h"

#include "trace.h"

#include <stdio.h>
#include <string.h>

#define ENDPOINTS "# made for a test; horizon_ms=1000000\nendpoint,memory_mb,init_ms,max_concurrency,kind\n"
#define ROWS      "# made for a test; horizon_ms=1000000\nt_ms,endpoint,count,span_ms,duration_ms\n"

/* trace_done() whatever it returns. */
static inline enum pl_code read_trace(struct trace *t, const char *endpoints, const char *rows, struct pl_err *err)
{
    FILE *first = fmemopen((void *)endpoints, strlen(endpoints), "r"),
         *second = fmemopen((void *)rows, strlen(rows), "r");
    enum pl_code code;

    assert_true(first && second);
    *t = (struct trace){ 0 };
    code = trace_read_endpoints(t, first, "e.csv", err);
    if (code == PL_OK)
        code = trace_read_rows(t, second, "t.csv", err);
    fclose(first);
    fclose(second);
    return code;
}

#endif
