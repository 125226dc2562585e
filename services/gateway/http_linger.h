/* http_linger - lets a client that is still sending read an answer that refused it.
 *
 * Closing a socket with unread bytes in it makes TCP send a reset, which can destroy the answer before the client has
 * read it. So the connection outlives its answer: it was shut down for writing, and what still arrives is thrown away
 * until the client closes, or LINGER_BYTES, or LINGER_MS. At most LINGER_COUNT at once; over it, connections are cut.
 */
#ifndef GATEWAY_HTTP_LINGER_H
#define GATEWAY_HTTP_LINGER_H

struct http_linger;
struct loop;

#define LINGER_BYTES ((long long)32 << 20)
#define LINGER_MS    5000
#define LINGER_COUNT 128

struct http_linger *linger_new(struct loop *l);
void linger_free(struct http_linger *l); /* NULL is fine */
/* 'socket_fd' stays the caller's; a copy of it lingers. */
void linger_add(struct http_linger *l, int socket_fd);

#endif
