/* pilotlight-gateway: see gateway.h. */
#include "gateway.h"

int main(int argc, char **argv)
{
    static const struct service_def def = {
        .name = "gateway",
        .summary = "The AWS front door: SageMaker, SageMaker Runtime, CloudWatch, S3 and friends over HTTP.",
        .rows = gateway_config_rows,
        .config_size = sizeof(struct gateway_config),
        .check = gateway_config_check,
        .start = gateway_start,
        .drain = gateway_drain,
        .stop = gateway_stop,
        .ready = gateway_ready,
    };
    return service_main(argc, argv, &def);
}
