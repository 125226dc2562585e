/* service_rig - the whole router in this process, spoken to over gRPC as others do: a caller, and behind it a control
 * and a worker host whose words the test decides. */
#ifndef TEST_ROUTER_SERVICE_RIG_H
#define TEST_ROUTER_SERVICE_RIG_H

#include "base/err.h"
#include "loop/loop.h"
#include "router.h"
#include "router_config.h"
#include "rpc/client.h"
#include "rpc/server.h"

#include "pilotlight/internal/v1/watch.pb-c.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "pilotlight/v1/inference.pb-c.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEXT(s) ((char *)(uintptr_t)(s))

/* How the host answers Invoke. */
enum rig_answer { RIG_ANSWERS, RIG_HOLDS, RIG_BABBLES, RIG_HAS_NO_SUCH, RIG_SAYS_IT_DIED };

/* All of it is touched with the turn. */
struct rig {
    struct loop *loop;
    struct rpc *rpc;
    struct metrics *metrics;
    pthread_t thread;
    struct router_config config;
    char *listen[1];
    char target[32]; /* of control and the host */
    struct rpc_server *fakes;
    struct router *router;
    struct rpc_channel *client;
    bool drained;
    char folder[64], snapshot[96]; /* rig_setup_with_file() */
    /* control */
    struct rpc_call *watch; /* its stream; NULL: none */
    unsigned watches;
    int64_t asked_version; /* by the last Watch */
    int64_t version;       /* of what was sent last */
    int64_t acknowledged;
    char draining[256];           /* "e " for each */
    void (*on_acknowledge)(void); /* or NULL; 'acknowledged' is new */
    /* the host */
    struct rpc_call *stream;
    unsigned streams, starts, stops, invokes, cancelled;
    uint64_t started;   /* id of the instance that was started last; they count from 1 */
    uint64_t invoked;   /* the instance of the last Invoke */
    uint64_t stopped;   /* of the last StopInstance */
    uint64_t found;     /* what the stream's first message says it has, idle; 0: nothing */
    bool start_refused; /* FAILED_PRECONDITION */
    enum rig_answer answer;
    struct rpc_call *held;
};
extern struct rig rig;

int rig_setup(void **state);
/* The router has a snapshot; teardown removes it. */
int rig_setup_with_file(void **state);
int rig_teardown(void **state);
/* The one that is there drains, and another one starts with the same file. */
void restart_router(void);
/* The loop turns until it is true. */
void wait_for(const char *what, bool (*ready)(void));

/* ---- control speaks; without the turn ---- */

/* The next version. */
void send_event(Pilotlight__Internal__V1__WatchResponse *m);
/* Everything: the host, and the endpoint "e" unless 'concurrency' is 0. */
void send_snapshot(int concurrency);
void send_removed(const char *endpoint);
/* Nothing new: what control says to a router that missed nothing. */
void send_nothing(void);
void hang_up_watch(void);

/* ---- the host speaks; without the turn ---- */

void send_died(uint64_t instance);
void hang_up_stream(void);
void release_held(void);

/* ---- a caller; without the turn ---- */

struct caller {
    struct rpc_request *request;
    bool ended;
    struct pl_err status;
    Pilotlight__V1__InvokeResponse *answer; /* rig_caller_done() frees it */
};
/* "row" to endpoint 'e'. */
void call_start(struct caller *c, const char *endpoint);
void call_cancel(struct caller *c);
enum pl_code call_wait(struct caller *c);
void call_done(struct caller *c);
/* The whole of it; the answer is looked at and freed: "row" comes back, from variant "main". */
enum pl_code call_once(const char *endpoint, bool *out_cold, struct pl_err *err);

#endif
