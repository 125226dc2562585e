/* What a name means. The C library's answer is waited for on a thread. */
#include "base/mem.h"
#include "egress/address.h"
#include "egress_parts.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lookup {
    struct loop_job job;
    struct list link; /* in egress_lookups() */
    struct egress *all;
    struct tunnel *tunnel; /* NULL: it is nobody's any more */
    lookup_done_fn *done;
    char host[EGRESS_HOST_MAX + 1], endpoint[EGRESS_ENDPOINT_MAX + 1];
    struct in6_addr addresses[EGRESS_ADDRESSES];
    unsigned count;
    int error;
};

static void work(struct loop_job *j)
{
    struct lookup *l = PL_CONTAINER(j, struct lookup, job);
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;

    l->error = getaddrinfo(l->host, NULL, &hints, &list);
    for (struct addrinfo *a = list; a && l->count < EGRESS_ADDRESSES; a = a->ai_next)
        if (egress_address_of(a->ai_addr, &l->addresses[l->count]))
            l->count++;
    if (list)
        freeaddrinfo(list);
}

static void worked(struct loop_job *j)
{
    struct lookup *l = PL_CONTAINER(j, struct lookup, job);
    struct egress *all = l->all;

    list_remove(&l->link);
    if (l->tunnel) {
        l->tunnel->lookup = NULL;
        l->done(l->tunnel, l->addresses, l->count, l->error ? gai_strerror(l->error) : "it has no address");
    }
    free(l);
    egress_looked_up(all);
}

struct lookup *lookup_start(struct tunnel *t, lookup_done_fn *done)
{
    struct lookup *l = PL_NEW(struct lookup);

    l->all = t->port->all;
    l->tunnel = t;
    l->done = done;
    (void)snprintf(l->host, sizeof(l->host), "%s", t->head.host);
    (void)snprintf(l->endpoint, sizeof(l->endpoint), "%s", t->port->endpoint);
    l->job.work = work;
    l->job.done = worked;
    list_push_back(egress_lookups(l->all), &l->link);
    loop_job(egress_loop(l->all), &l->job);
    return l;
}

void lookup_forget(struct lookup *l)
{
    l->tunnel = NULL;
}

const char *lookup_endpoint(const struct list *link)
{
    return list_entry(link, struct lookup, link)->endpoint;
}
