/* lives - the world that control's endpoints live in, played by the test: hosts and routers on virtual time, the real
 * database underneath. 'w.story' is what happened to endpoints, line by line. */
#ifndef TEST_CONTROL_LIVES_H
#define TEST_CONTROL_LIVES_H

#include "fixtures.h"

#include "endpoint_change.h"
#include "lifecycle.h"
#include "limit.h"

#define CALLS 64

struct fake_call {
    bool open;
    lifecycle_prepared_fn *done;
    void *arg;
    char host[LIFECYCLE_HOST_SIZE];
    char variant[64];
    char sha256[65]; /* asked for */
};

struct world {
    struct folder folder;
    struct store *store;
    struct limits limits;
    struct lifecycle *lifecycle;
    int64_t now, wake;
    unsigned hosts; /* "host-0", "host-1" */
    struct fake_call calls[CALLS];
    unsigned started; /* calls ever */
    int64_t applied;  /* by the routers */
    bool busy;        /* requests of deleted endpoints are in flight */
    char story[4096];
};
extern struct world w;

extern struct pl_err err;

void lives_start(void);
void lives_crash(void);
int lives_setup(void **state);
int lives_teardown(void **state);
void advance(int64_t to_ms);
struct fake_call *call_of(const char *variant);
unsigned open_calls(void);
void answer(struct fake_call *c, enum pl_code code, const char *text);
void create(const char *name, const char *config);
enum pl_code update(const char *name, const char *config);
enum pl_code delete (const char *name);
Pilotlight__V1__Endpoint *look(const char *name);
void in_service(const char *name);

#endif
