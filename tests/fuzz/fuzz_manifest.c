/* Manifests of `pilotlight apply`. What is refused says where and adds nothing; what is accepted is resources with
 * names, in order of application, each once, that go onto the wire and come back. */
#include "manifest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_item(const struct manifest *m, size_t i)
{
    const struct manifest_item *item = &m->items[i];
    assert(item->line > 0 && strcmp(item->source, "fuzz") == 0);
    assert(i == 0 || m->items[i - 1].kind->id <= item->kind->id);
    for (size_t k = 0; k < i; k++)
        assert(m->items[k].kind != item->kind || strcmp(manifest_name(&m->items[k]), manifest_name(item)) != 0);
    size_t n = protobuf_c_message_get_packed_size(item->message);
    uint8_t *wire = malloc(n + 1);
    assert(protobuf_c_message_pack(item->message, wire) == n);
    ProtobufCMessage *back = protobuf_c_message_unpack(item->message->descriptor, NULL, n, wire);
    assert(back);
    protobuf_c_message_free_unpacked(back, NULL);
    free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest m = { 0 };
    struct pl_err err = { 0 };
    if (manifest_add_text(&m, "fuzz", "/folder", (const char *)data, size, &err) != PL_OK) {
        assert(err.code == PL_INVALID && strncmp(err.message, "fuzz", 4) == 0);
        assert(m.count == 0);
    }
    for (size_t i = 0; i < m.count; i++)
        check_item(&m, i);
    manifest_done(&m);
    return 0;
}
