/* egress - the process through which instances reach the outside: a proxy for HTTP with a list of what is allowed
 * (egress/rules.h). It runs in a sandbox that lacks nothing but a network namespace, and is asked by the worker
 * (egress/message.h).
 *
 *     egress.c          orders in, news out; one port for each instance that may go out
 *     egress_port.c     accepts, counts connections, starts them one after another where names have to be looked up
 *     egress_tunnel.c   one connection: its head is read and judged, its name looked up, what that means judged again,
 *                       a server connected to; from then on bytes are copied (egress_pipe.c) */
#ifndef RUNNER_EGRESS_H
#define RUNNER_EGRESS_H

/* Until 'control' closes; returns the exit code. */
int egress_serve(int control);

#endif
