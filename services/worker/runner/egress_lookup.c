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
    struct list link;  /* in port->looking */
    struct port *port; /* NULL: it has been closed */
    struct tunnel *tunnel;
    lookup_done_fn *done;
    char host[EGRESS_HOST_MAX + 1];
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
    struct port *p = l->port;

    list_remove(&l->link);
    if (p)
        p->lookups--;
    if (l->tunnel) {
        l->tunnel->lookup = NULL;
        l->done(l->tunnel, l->addresses, l->count, l->error ? gai_strerror(l->error) : "it has no address");
    }
    free(l);
    if (p)
        port_look_up_next(p);
}

struct lookup *lookup_start(struct tunnel *t, lookup_done_fn *done)
{
    struct lookup *l = PL_NEW(struct lookup);

    l->port = t->port;
    l->tunnel = t;
    l->done = done;
    (void)snprintf(l->host, sizeof(l->host), "%s", t->head.host);
    l->job.work = work;
    l->job.done = worked;
    l->port->lookups++;
    list_push_back(&l->port->looking, &l->link);
    loop_job(egress_loop(t->port->all), &l->job);
    return l;
}

void lookup_forget(struct lookup *l)
{
    l->tunnel = NULL;
}

void lookups_leave(struct port *p)
{
    list_each_safe(i, &p->looking)
    {
        struct lookup *l = list_entry(i, struct lookup, link);

        list_remove(i);
        l->port = NULL;
    }
}
