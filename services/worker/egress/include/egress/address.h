/* address - what an address is to the outside: IPv4 as IPv6 has it (::ffff:a.b.c.d), and whether it leads somewhere that
 * nobody means who allows a name: to the host itself, to its link, to a cloud's metadata service, to a group.
 *
 * Threads: any. */
#ifndef EGRESS_ADDRESS_H
#define EGRESS_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* False: neither IPv4 nor IPv6. */
bool egress_address_read(const char *text, struct in6_addr *out);
bool egress_address_of(const struct sockaddr *from, struct in6_addr *out);
/* NULL, or what is special about it: "loopback", "link-local or a metadata service" ... */
const char *egress_address_special(const struct in6_addr *address);
/* To connect to; returns its length. */
socklen_t egress_address_socket(const struct in6_addr *address, uint16_t port, struct sockaddr_storage *out);

#endif
