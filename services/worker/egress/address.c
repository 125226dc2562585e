#include "egress/address.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void map(const void *v4, struct in6_addr *out)
{
    memcpy(out->s6_addr, mapped, sizeof(mapped));
    memcpy(out->s6_addr + sizeof(mapped), v4, 4);
}

static bool is_v4(const struct in6_addr *a)
{
    return memcmp(a->s6_addr, mapped, sizeof(mapped)) == 0;
}

bool egress_address_read(const char *text, struct in6_addr *out)
{
    struct in_addr v4;

    if (inet_pton(AF_INET, text, &v4) == 1) {
        map(&v4, out);
        return true;
    }
    return inet_pton(AF_INET6, text, out) == 1;
}

bool egress_address_of(const struct sockaddr *from, struct in6_addr *out)
{
    if (from->sa_family == AF_INET)
        map(&((const struct sockaddr_in *)(const void *)from)->sin_addr, out);
    else if (from->sa_family == AF_INET6)
        *out = ((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    else
        return false;
    return true;
}

socklen_t egress_address_socket(const struct in6_addr *address, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (is_v4(address)) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;

        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, address->s6_addr + sizeof(mapped), 4);
        return sizeof(*v4);
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    v6->sin6_addr = *address;
    return sizeof(*v6);
}

/* ---- what is special ---- */

#define METADATA "a cloud's metadata service"

static const struct {
    uint8_t prefix[16];
    unsigned bits;
    const char *what;
} ranges[] = {
#define V4(a, b, c, d, bits, what)                                                                                     \
    {                                                                                                                  \
        { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }, 96 + (bits), what                                    \
    }
    V4(127, 0, 0, 0, 8, "loopback"),
    V4(0, 0, 0, 0, 8, "the host itself"),
    V4(169, 254, 0, 0, 16, "link-local, and " METADATA),
    V4(168, 63, 129, 16, 32, METADATA),
    V4(100, 100, 100, 200, 32, METADATA),
    V4(192, 0, 0, 192, 32, METADATA),
    V4(224, 0, 0, 0, 4, "multicast"),
    V4(240, 0, 0, 0, 4, "broadcast or reserved"),
    { { 0 }, 128, "the host itself" },
    { { [15] = 1 }, 128, "loopback" },
    { { 0xfe, 0x80 }, 10, "link-local" },
    { { 0xff }, 8, "multicast" },
    { { 0xfd, 0x00, 0x0e, 0xc2 }, 32, METADATA }, /* Amazon */
    { { 0xfd, 0x20, 0x00, 0xce }, 32, METADATA }, /* Google */
    { { 0xfd, 0x00, 0x00, 0x42 }, 32, METADATA }, /* Scaleway */
    /* Which address of IPv4 they mean, only the network knows. */
    { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, "a translator's, of this network" },
    { { 0x20, 0x01, 0x00, 0x00 }, 32, "a tunnel's (Teredo)" },
#undef V4
};

/* Prefixes behind which an IPv4 address is hidden, and where in them it is. */
static const struct {
    uint8_t prefix[16];
    unsigned bits, at;
} hiding[] = {
    { { 0x00, 0x64, 0xff, 0x9b }, 96, 12 }, /* NAT64 */
    { { 0x20, 0x02 }, 16, 2 },              /* 6to4 */
    { { 0 }, 96, 12 },                      /* IPv4-compatible */
    { { [8] = 0xff, 0xff }, 96, 12 },       /* IPv4-translated */
};

static bool begins(const struct in6_addr *a, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    return memcmp(a->s6_addr, prefix, whole) == 0 &&
           (rest == 0 || (a->s6_addr[whole] & mask) == (prefix[whole] & mask));
}

static const char *look_up(const struct in6_addr *a)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (begins(a, ranges[i].prefix, ranges[i].bits))
            return ranges[i].what;
    return NULL;
}

const char *egress_address_special(const struct in6_addr *address)
{
    const char *what = look_up(address);
    struct in6_addr inner;

    for (size_t i = 0; i < sizeof(hiding) / sizeof(hiding[0]) && !what; i++)
        if (begins(address, hiding[i].prefix, hiding[i].bits)) {
            map(address->s6_addr + hiding[i].at, &inner);
            what = look_up(&inner);
        }
    return what;
}
