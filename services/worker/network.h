/* network - the way out for instances of endpoints that network.allow names (egress/rules.h); all others have none.
 *
 *     instance                      worker                        pilotlight-runner egress
 *       | <-- assignment + door ----- |                               |
 *       | makes a socket that listens |                               |
 *       | on its own 127.0.0.1:3128   |                               |
 *       | --- that socket, by the --> | --- OPEN endpoint + socket -> | accepts from it: CONNECT, or GET http://...
 *       |     door                    |                               | looks at the rules and at what the name means,
 *       | http_proxy and its like are |                               | connects, copies bytes both ways
 *       | in its environment          | --- CLOSE ------------------> | when the instance has ended
 *
 * An instance stays in its network namespace, in which there is nothing but its own loopback interface. What it says to
 * the socket is read by one process of this host that has the host's network and else as little as an unpacker; when it
 * dies it is started again and gets the sockets again, which is why the worker keeps them. The door is used before
 * anything untrusted runs in the instance.
 *
 * Threads: with the turn.  Memory: a port is its instance's, from network_open() to network_close(). */
#ifndef WORKER_NETWORK_H
#define WORKER_NETWORK_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct config_strings;
struct instance_log;
struct loop;
struct network;
struct network_port;
struct spawner;
struct worker_stats;

struct network_options {
    const struct config_strings *allow; /* checked; not kept */
    int64_t connections;                /* at a time, of one instance */
    int memory_size_mb;                 /* of the process, and with it its CPU */
    int64_t idle_ms;                    /* a connection ends after so long without a byte */
    struct spawner *spawner;
    struct worker_stats *stats;
};

/* PL_INVALID: an entry is none. */
PL_MUST_CHECK enum pl_code network_check(const struct config_strings *allow, struct pl_err *err);
struct network *network_new(struct loop *l, const struct network_options *o);
void network_free(struct network *n); /* all ports have been closed; NULL is fine */

/* Some entry names it, and its runtime can use it here. */
bool network_permits(const struct network *n, const char *endpoint, const char *runtime);
/* The port of one that is permitted, and the door for its spawn_spec, the caller's to close. What is refused is said in
 * 'log'. NULL: there is no descriptor left. */
struct network_port *network_open(struct network *n, const char *endpoint, uint64_t instance, struct instance_log *log,
                                  int *out_door);
void network_close(struct network_port *p); /* NULL is fine */

/* What an instance finds in its environment, unless its model says otherwise: { name, value } up to a NULL name. */
#define NETWORK_ENVIRONMENT 6
extern const char *const network_environment[NETWORK_ENVIRONMENT + 1][2];

#endif
