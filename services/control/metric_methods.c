/* pilotlight.v1.MetricsService, and pilotlight.internal.v1.ReportService. */
#include "control_methods.h"

#include "base/time.h"
#include "control.h"
#include "history.h"
#include "ingest.h"
#include "log/log.h"
#include "metric_query.h"
#include "record.h"
#include "rpc/server.h"

CONTROL_HANDLER(put_metric_data)
{
    static const Pilotlight__V1__PutMetricDataResponse reply = PILOTLIGHT__V1__PUT_METRIC_DATA_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    if (ingest_put(c->store, &c->limits, message, pl_wall_ms(), &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    history_grew(c->history, NULL);
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_metrics)
{
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListMetricsResponse *reply = NULL;
    if (metric_list(c->store, &c->limits, message, pl_wall_ms(), &reply, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply->base);
}

CONTROL_HANDLER(get_metric_statistics)
{
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__GetMetricStatisticsResponse *reply = NULL;
    if (metric_query(c->store, &c->limits, message, pl_wall_ms(), &reply, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply->base);
}

CONTROL_HANDLER(report)
{
    const Pilotlight__Internal__V1__ReportRequest *r = message;
    Pilotlight__Internal__V1__ReportResponse reply = PILOTLIGHT__INTERNAL__V1__REPORT_RESPONSE__INIT;
    struct control *c = service;
    struct ingested in;
    struct pl_err err;
    if (ingest_report(c->store, &c->limits, r, pl_wall_ms(), &in, &err) != PL_OK) {
        log_warn("report_refused", LOG_STR("reporter", r->reporter_id), LOG_CODE(&err), LOG_ERR(&err));
        rpc_fail(call, &err);
        return;
    }
    if (in.left_out > 0)
        log_warn("report_incomplete", LOG_STR("reporter", r->reporter_id), LOG_UINT("left_out", in.left_out));
    history_grew(c->history, &in);
    reply.epoch = in.epoch;
    reply.sequence = in.sequence;
    rpc_reply(call, &reply.base);
}
