/* list - an intrusive ring. The head is a link of its own; an unlinked link points to itself.
 * "A state is membership of a list": counts cannot then disagree with states. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}
static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}
static inline void list_insert_(struct list *l, struct list *prev, struct list *next)
{
    l->prev = prev;
    l->next = next;
    prev->next = l;
    next->prev = l;
}
static inline void list_push_front(struct list *head, struct list *l)
{
    list_insert_(l, head, head->next);
}
static inline void list_push_back(struct list *head, struct list *l)
{
    list_insert_(l, head->prev, head);
}
/* Leaves 'l' pointing to itself; harmless on a link that is in no list. */
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

#define list_entry(link, type, member) PL_CONTAINER(link, type, member)
#define list_first(head, type, member) (list_empty(head) ? NULL : list_entry((head)->next, type, member))
#define list_last(head, type, member)  (list_empty(head) ? NULL : list_entry((head)->prev, type, member))
#define list_each(it, head)            for (struct list *it = (head)->next; it != (head); it = it->next)
/* 'it' may be removed in the body. */
#define list_each_safe(it, head)                                                                                       \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

#endif
