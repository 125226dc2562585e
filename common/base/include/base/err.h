/* err - a failure for somebody else: what kind, which field, and a sentence.
 *
 * Three kinds of trouble are kept apart. A bug is an assert. An expected outcome is a return value that the caller
 * handles. A failure that a person or another program will read is a 'enum pl_code' returned plus a 'struct pl_err'
 * filled in; it is forwarded, never caught half way, and turned into a gRPC status in one table (rpc/status.c).
 *
 * Library code returns errors, program code logs them, so that one failure is one log line.
 * Threads: none of this is shared.  Memory: a pl_err owns nothing and may be copied by assignment. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

/* Each code names its gRPC status in rpc/status.c. */
enum pl_code {
    PL_OK = 0,
    PL_CANCELLED,       /* the caller went away                                                        */
    PL_UNKNOWN,         /* a peer answered something that has no code here                             */
    PL_INVALID,         /* the request itself is wrong, whatever the state: 'field' says which part    */
    PL_DEADLINE,        /* the caller's or the endpoint's time is over                                 */
    PL_NOT_FOUND,       /* the named thing does not exist                                              */
    PL_EXISTS,          /* the name is taken                                                           */
    PL_DENIED,          /* the caller may not                                                          */
    PL_EXHAUSTED,       /* a limit of concurrency, rate or size is reached; 'retry_after_ms' may help  */
    PL_PRECONDITION,    /* right request, wrong state                                                  */
    PL_ABORTED,         /* lost a race; the same call may succeed when repeated                        */
    PL_OUT_OF_RANGE,    /* beyond the end (page tokens, offsets)                                       */
    PL_UNIMPLEMENTED,   /* not offered                                                                 */
    PL_INTERNAL,        /* our fault                                                                   */
    PL_UNAVAILABLE,     /* not now; repeat it                                                          */
    PL_DATA_LOSS,       /* stored bytes are not what was stored                                        */
    PL_UNAUTHENTICATED, /* who are you                                                                 */
    PL_MODEL,           /* the model (or its code) answered with an error: 'model_status', 'message'   */
    PL_CODE_COUNT
};

struct pl_err {
    enum pl_code code;
    char field[96];          /* path of the offending field, "variants[0].memory_size_mb"; "" when there is none      */
    char reason[48];         /* UPPER_SNAKE_CASE for programs, "MAX_CONCURRENCY"; "" = the code's own name            */
    char message[1024];      /* for people: names field, value and limit; valid UTF-8, no secrets                     */
    uint32_t retry_after_ms; /* 0 = says nothing                                                                      */
    int model_status;        /* PL_MODEL only: the model's HTTP status (400, 415, 500; 0 = no answer or broken off)   */
};

/* Fills '*err' (NULL is allowed) and returns 'code'. 'field' may be NULL. The message is cut at its size, on a UTF-8
 * character; bytes that are not UTF-8 become '?'. */
enum pl_code pl_fail(struct pl_err *err, enum pl_code code, const char *field, const char *fmt, ...) PL_PRINTF(4, 5);

/* As pl_fail, with a reason for programs. */
enum pl_code pl_fail_reason(struct pl_err *err, enum pl_code code, const char *reason, const char *field,
                            const char *fmt, ...) PL_PRINTF(5, 6);

/* Puts "context: " in front of the message that is there already; code and field stay. Returns err->code. */
enum pl_code pl_err_prefix(struct pl_err *err, const char *fmt, ...) PL_PRINTF(2, 3);

/* "INVALID", "NOT_FOUND"; never NULL. */
const char *pl_code_name(enum pl_code code);

/* Ends the process with a message: out of memory for bookkeeping of fixed size, or a broken invariant. */
PL_NORETURN void pl_die(const char *fmt, ...) PL_PRINTF(1, 2);

#endif
