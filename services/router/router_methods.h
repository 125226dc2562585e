/* router_methods - the methods of the router's services, each in the file named after its service. */
#ifndef ROUTER_ROUTER_METHODS_H
#define ROUTER_ROUTER_METHODS_H

struct rpc_call;

/* 'service' is the struct router. */
#define ROUTER_HANDLER(name) void name(struct rpc_call *call, const void *message, void *service)

/* instance_methods.c */
ROUTER_HANDLER(list_instances);
ROUTER_HANDLER(list_variant_stats);
ROUTER_HANDLER(list_hosts);

/* log_methods.c */
ROUTER_HANDLER(read_logs);
ROUTER_HANDLER(follow_logs);
ROUTER_HANDLER(list_log_streams);

/* inference_methods.c */
ROUTER_HANDLER(server_live);
ROUTER_HANDLER(server_ready);
ROUTER_HANDLER(server_metadata);
ROUTER_HANDLER(model_ready);
ROUTER_HANDLER(model_metadata);

#endif
