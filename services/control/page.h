/* page - one page of a list: from a request's options to rows, and the token of the page behind it.
 *
 * A token carries the sort key of the page's last entry, and digests of the filters and of itself: pages neither skip
 * nor repeat what stays in place, whatever is inserted or deleted meanwhile, and a token is refused with other filters
 * than its own. A page also ends after PAGE_BYTES, so that it fits the 4 MiB which clients take by default. */
#ifndef CONTROL_PAGE_H
#define CONTROL_PAGE_H

#include "store.h"

#include "pilotlight/v1/resource.pb-c.h"

struct limits;

#define PAGE_DEFAULT_SIZE 100
#define PAGE_BYTES        ((size_t)2 << 20)
#define PAGE_TOKEN_SIZE   256

struct page {
    void **messages; /* public messages (record.h), owned by the page */
    size_t count;
    char next_token[PAGE_TOKEN_SIZE]; /* "" on the last page */
};
void page_done(struct page *p);

/* 'o' NULL = all defaults; it has passed validate_list(). 'status' 0 = any. PL_INVALID names page_token when the token
 * is not one of this list with these filters. */
PL_MUST_CHECK enum pl_code page_read(struct store *s, enum store_kind kind, const Pilotlight__V1__ListOptions *o,
                                     int status, struct page *out, struct pl_err *err);

#endif
