/* fake_server - control and router in one: it remembers what is created, answers calls with what it was asked, and
 * starts no model. */
#ifndef TEST_CTL_FAKE_SERVER_H
#define TEST_CTL_FAKE_SERVER_H

#include "kinds.h"
#include "loop/loop.h"
#include "rpc/server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define RESOURCES_MAX 16
/* An endpoint config with a variant of this memory size is found right, and refused all the same when it is created. */
#define SURPRISING_MB 5120

struct fake {
    struct loop *loop;
    struct rpc *rpc;
    struct rpc_server *server;
    pthread_t thread;
    bool drained;
    ProtobufCMessage *resources[KIND_COUNT][RESOURCES_MAX]; /* with the turn; NULL = free */
    _Atomic unsigned writes;                                /* calls that changed something */
    _Atomic unsigned updates;
    char address[64];
};
extern struct fake fake;

/* For cmocka: of the group, of the group, of each test. */
int fake_start(void **state);
int fake_stop(void **state);
int fake_empty(void **state);

#endif
