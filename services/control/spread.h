/* spread - hosts learn models ahead: what is proven on one host is prepared on every other that offers its runtime, so
 * that no cold start waits for a download, wherever the router places it. So does a host that joins, or starts again,
 * with the models of all endpoints in service. One that has a model already proves it once more, in milliseconds.
 *
 * One host prepares one model at a time, and lives of endpoints never wait for it. A host that cannot (its disk is
 * full, the artifact's source is away) is asked again after a while; it would fetch the model itself at the first
 * start. Threads: with the turn.  Memory: one entry per host and model of an endpoint in service. */
#ifndef CONTROL_SPREAD_H
#define CONTROL_SPREAD_H

struct hosts;
struct limits;
struct loop;
struct spread;
struct store;

struct spread *spread_new(struct loop *loop, struct store *s, const struct limits *l, struct hosts *h);
void spread_free(struct spread *s); /* NULL is fine */
/* An endpoint is served differently now, or a host came, changed or went: looks again, soon. */
void spread_changed(struct spread *s);

#endif
