#include "served.h"

#include "base/mem.h"
#include "message.h"
#include "usage.h"

#include <stdlib.h>

struct served *served_new(const Pilotlight__Internal__V1__ServedEndpoint *m, struct usage *u)
{
    struct served *s = PL_NEW(struct served);

    s->message = (void *)message_copy(&m->base);
    s->usage = u;
    s->refs = 1 + (unsigned)m->n_variants;
    s->variants = pl_new0(m->n_variants + 1, sizeof(*s->variants));
    for (size_t i = 0; i < m->n_variants; i++) {
        const Pilotlight__Internal__V1__ServedVariant *v = s->message->variants[i];

        s->variants[i] = (struct served_variant){ .endpoint = s, .message = v };
        s->variants[i].series = usage_series_ref(u, s->message->name, v->spec->variant_name);
    }
    return s;
}

void served_unref(struct served *s)
{
    if (!s || --s->refs > 0)
        return;
    protobuf_c_message_free_unpacked(&s->message->base, NULL);
    free(s->variants);
    free(s);
}

void served_variant_forget(struct served_variant *v)
{
    usage_series_unref(v->endpoint->usage, v->series);
    served_unref(v->endpoint);
}
