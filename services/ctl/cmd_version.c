#include "client.h"
#include "command.h"
#include "message.h"

#include "inference/open_inference.pb-c.h"

#define VERSION_CALL_MS 2000

enum ctl_exit cmd_version(const struct args *a)
{
    printf("pilotlight %s\n", PL_VERSION);
    fflush(stdout);
    pl_cleanup(client_free_p) struct client *c = client_open(a);
    pl_cleanup(message_free_p) ProtobufCMessage *reply = NULL;
    Inference__ServerMetadataRequest request = INFERENCE__SERVER_METADATA_REQUEST__INIT;
    struct pl_err err;
    if (!c)
        return EXIT_USAGE;
    if (client_call(c, CLIENT_ROUTER, "/inference.GRPCInferenceService/ServerMetadata", &request.base,
                    &inference__server_metadata_response__descriptor, VERSION_CALL_MS, &reply, &err) == PL_OK)
        printf("server     %s %s\n", message_text(reply, "name"), message_text(reply, "version"));
    else
        printf("server     unknown: %s\n", err.message);
    return EXIT_OK;
}
