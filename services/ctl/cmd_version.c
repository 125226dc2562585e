#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"

#include "inference/open_inference.pb-c.h"

#include <stdio.h>

#define VERSION_CALL_MS 2000

/* NULL with 'err': the router cannot be reached. */
static ProtobufCMessage *ask_server(struct client *c, struct pl_err *err)
{
    ProtobufCMessage *reply = NULL;
    Inference__ServerMetadataRequest request = INFERENCE__SERVER_METADATA_REQUEST__INIT;
    if (client_call(c, CLIENT_ROUTER, "/inference.GRPCInferenceService/ServerMetadata", &request.base,
                    &inference__server_metadata_response__descriptor, VERSION_CALL_MS, &reply, err) != PL_OK)
        return NULL;
    return reply;
}

static void print_value(const ProtobufCMessage *server, const struct pl_err *err, enum output_format format)
{
    json_t *value = json_pack("{s:s}", "version", PL_VERSION);
    if (server)
        json_object_set_new(
            value, "server",
            json_pack("{s:s, s:s}", "name", message_text(server, "name"), "version", message_text(server, "version")));
    else
        json_object_set_new(value, "server_error", json_string(err->message));
    output_value(value, format, stdout);
    json_decref(value);
}

enum ctl_exit cmd_version(const struct args *a)
{
    enum output_format format = output_format_of(args_text(a, "output"));
    bool for_people = format == OUTPUT_TABLE || format == OUTPUT_NAME;
    if (for_people) { /* ours at once: the server may take its time */
        printf("pilotlight %s\n", PL_VERSION);
        fflush(stdout);
    }
    pl_cleanup(client_free_p) struct client *c = client_open(a);
    if (!c)
        return EXIT_USAGE;
    struct pl_err err;
    pl_cleanup(message_free_p) ProtobufCMessage *server = ask_server(c, &err);
    if (!for_people)
        print_value(server, &err, format);
    else if (server)
        printf("server     %s %s\n", message_text(server, "name"), message_text(server, "version"));
    else
        printf("server     unknown: %s\n", err.message);
    return EXIT_OK;
}
