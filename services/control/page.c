#include "page.h"

#include "base/mem.h"
#include "base/text.h"
#include "digest.h"
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of a token, sent as hex digits; the name follows without its NUL. */
struct token {
    uint64_t filters; /* of the list it belongs to */
    uint64_t self;    /* of 'filters', 'key' and the name */
    int64_t key;
    char name[STORE_NAME_SIZE];
};
#define TOKEN_FIXED offsetof(struct token, name)
_Static_assert(2 * sizeof(struct token) < PAGE_TOKEN_SIZE, "a token fits");

static uint64_t token_digest(const struct token *t)
{
    uint64_t d = digest_add(DIGEST_START, &t->filters, sizeof(t->filters));
    d = digest_add(d, &t->key, sizeof(t->key));
    return digest_add(d, t->name, strlen(t->name));
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool token_decode(const char *text, struct token *out)
{
    unsigned char bytes[sizeof(*out)] = { 0 };
    size_t n = strlen(text);
    if (n % 2 != 0 || n / 2 <= TOKEN_FIXED || n / 2 >= sizeof(bytes)) /* at least a NUL remains */
        return false;
    for (size_t i = 0; i < n; i += 2) {
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (unsigned char)(high << 4 | low);
    }
    memcpy(out, bytes, sizeof(bytes));
    return strlen(out->name) == n / 2 - TOKEN_FIXED && out->self == token_digest(out);
}

static void token_encode(struct token *t, char out[PAGE_TOKEN_SIZE])
{
    t->self = token_digest(t);
    pl_hex(t, TOKEN_FIXED + strlen(t->name), out);
}

/* Everything that says which entries a list has and in which order. */
static uint64_t filters_digest(const struct store *s, const struct store_query *q)
{
    const int64_t numbers[] = { q->kind,           q->sort,         q->descending,     q->created_from,
                                q->created_before, q->updated_from, q->updated_before, q->status };
    const char *database = store_database_id(s);
    uint64_t d = digest_add(DIGEST_START, numbers, sizeof(numbers));
    d = digest_add(d, q->name_contains, strlen(q->name_contains));
    return digest_add(d, database, strlen(database));
}

static enum store_sort sort_of(Pilotlight__V1__SortBy by)
{
    return by == PILOTLIGHT__V1__SORT_BY__SORT_BY_NAME     ? STORE_BY_NAME
           : by == PILOTLIGHT__V1__SORT_BY__SORT_BY_STATUS ? STORE_BY_STATUS
                                                           : STORE_BY_CREATED;
}

static void query_of(enum store_kind kind, const Pilotlight__V1__ListOptions *o, int status, struct store_query *out)
{
    *out = (struct store_query){
        .kind = kind,
        .sort = sort_of(o->sort_by),
        .descending = o->sort_order != PILOTLIGHT__V1__SORT_ORDER__SORT_ORDER_ASCENDING,
        .name_contains = o->name_contains,
        .created_from = o->created_from_unix_ms,
        .created_before = o->created_before_unix_ms,
        .updated_from = o->updated_from_unix_ms,
        .updated_before = o->updated_before_unix_ms,
        .status = status,
        .after_name = "",
    };
}

struct reading {
    struct store *store;
    const struct store_query *query;
    struct page *page;
    size_t size, bytes;
    struct token last; /* of the newest entry */
    bool more;         /* there is one behind the page */
    struct pl_err *err;
    bool failed;
};

static bool take_row(void *arg, const struct store_row *row)
{
    struct reading *r = arg;
    if (r->page->count == r->size || (r->bytes > 0 && r->bytes + row->body_len > PAGE_BYTES)) {
        r->more = true;
        return false;
    }
    void *message = record_read(r->store, row, r->err);
    if (!message) {
        r->failed = true;
        return false;
    }
    r->page->messages[r->page->count++] = message;
    r->bytes += protobuf_c_message_get_packed_size(message);
    r->last.key = r->query->sort == STORE_BY_STATUS ? row->status : row->created_ms;
    memcpy(r->last.name, row->name, sizeof(r->last.name));
    return true;
}

void page_done(struct page *p)
{
    for (size_t i = 0; i < p->count; i++)
        record_free(p->messages[i]);
    free(p->messages);
    *p = (struct page){ 0 };
}

enum pl_code page_read(struct store *s, enum store_kind kind, const Pilotlight__V1__ListOptions *o, int status,
                       struct page *out, struct pl_err *err)
{
    static const Pilotlight__V1__ListOptions defaults = PILOTLIGHT__V1__LIST_OPTIONS__INIT;
    struct store_query q;
    struct token from;
    o = o ? o : &defaults;
    query_of(kind, o, status, &q);
    uint64_t filters = filters_digest(s, &q);
    if (*o->page_token) {
        if (!token_decode(o->page_token, &from) || from.filters != filters)
            return pl_fail(err, PL_INVALID, "page_token",
                           "page_token \"%.80s\" is not from a list with the same filters and order", o->page_token);
        q.after_key = from.key;
        q.after_name = from.name;
    }
    pl_cleanup(page_done) struct page page = { 0 };
    struct reading r = { .store = s, .query = &q, .page = &page, .err = err, .last.filters = filters };
    r.size = o->page_size ? (size_t)o->page_size : PAGE_DEFAULT_SIZE;
    q.limit = (int64_t)r.size + 1;
    page.messages = pl_new0(r.size, sizeof(*page.messages));
    if (store_list(s, &q, take_row, &r, err) != PL_OK || r.failed)
        return err->code;
    if (r.more)
        token_encode(&r.last, page.next_token);
    *out = page;
    page = (struct page){ 0 };
    return PL_OK;
}
