/* rig - the whole service in this process, spoken to over gRPC as others do: a client, a router that watches
 * and acknowledges, and a worker host whose answers the test decides. */
#ifndef TEST_CONTROL_RIG_H
#define TEST_CONTROL_RIG_H

#include "fixtures.h"

#include "control.h"
#include "control_config.h"
#include "lifecycle.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "rpc/client.h"
#include "rpc/server.h"

#include <pthread.h>

struct rig {
    struct folder folder;
    struct control_config config;
    char *listen[1];
    struct loop *loop;
    struct metrics *metrics;
    struct rpc *rpc;
    pthread_t thread;
    struct control *control;
    struct rpc_channel *client;
    struct rpc_server *worker;
    char worker_address[32];
    /* How PrepareModel answers; touched with the turn. */
    enum pl_code worker_code;
    bool worker_holds; /* keeps the next call until worker_release() */
    struct rpc_call *held;
    unsigned prepared;
    bool drained;
};
extern struct rig rig;
extern struct pl_err err;

/* What came on a stream, as a story. */
struct stream {
    struct rpc_request *request;
    char story[4096];
    int64_t version;
    char database_id[64];
    bool ended;
    enum pl_code code;
};
extern struct stream router, follower; /* touched with the turn */

#define CALL(service, method, request, response)                                                                       \
    call("/pilotlight." service "/" method, &(request).base, &pilotlight__##response##__descriptor)

void rig_start_control(void);
void wait_for(const char *what, bool (*ready)(void));
void rig_stop_control(void);
int rig_setup(void **state);
int rig_setup_short_lease(void **state);
int rig_teardown(void **state);
void *call(const char *path, const void *message, const ProtobufCMessageDescriptor *reply);
enum pl_code call_code(void *reply);
enum pl_code ask_create_model(const char *name, const char *request_id);
enum pl_code ask_create_config(const char *name, const char *model, int memory_mb);
enum pl_code ask_create_endpoint(const char *name, const char *config);
enum pl_code ask_update_endpoint(const char *name, const char *config);
enum pl_code ask_delete_endpoint(const char *name);
int status_of(const char *name, char reason[1024]);
void wait_status(const char *name, int status);
enum pl_code beat(const char *id, int64_t epoch, bool leaving);
void watch_as_router(int64_t version, const char *database_id);
void follow(const char *endpoint);
void send_acknowledge(int64_t version, const char *draining);
void wait_story(struct stream *s, const char *wanted);
void wait_contains(struct stream *s, const char *part);
bool follower_ended(void);
void end_router(void);

#endif
