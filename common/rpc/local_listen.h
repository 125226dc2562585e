/* local_listen - a unix socket on which connections of the local transport arrive.
 *
 * It is made with mode 0600, in place of one that a dead server has left. Who connects nevertheless must be this user,
 * or root. Threads: with the turn. */
#ifndef RPC_LOCAL_LISTEN_H
#define RPC_LOCAL_LISTEN_H

#include "base/err.h"

struct local_listener;
struct loop;

/* 'accepted' gets each connection, and owns it. PL_UNAVAILABLE: the address cannot be bound; PL_INVALID: it is none. */
PL_MUST_CHECK enum pl_code local_listen_open(struct local_listener **out, struct loop *l, const char *address,
                                             void (*accepted)(void *arg, int fd), void *arg, struct pl_err *err);
/* Removes the socket, too. */
void local_listen_close(struct local_listener *l);

#endif
