#include "kinds.h"

#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/endpoint_config.pb-c.h"
#include "pilotlight/v1/model.pb-c.h"

#include <string.h>

#define METHODS(service, Name, name)                                                                                   \
    .get_path = "/pilotlight.v1." service "/Get" Name, .list_path = "/pilotlight.v1." service "/List" Name "s",        \
    .delete_path = "/pilotlight.v1." service "/Delete" Name, .resource = &pilotlight__v1__##name##__descriptor,        \
    .get_request = &pilotlight__v1__get_##name##_request__descriptor,                                                  \
    .get_response = &pilotlight__v1__get_##name##_response__descriptor,                                                \
    .list_request = &pilotlight__v1__list_##name##s_request__descriptor,                                               \
    .list_response = &pilotlight__v1__list_##name##s_response__descriptor,                                             \
    .delete_request = &pilotlight__v1__delete_##name##_request__descriptor,                                            \
    .delete_response = &pilotlight__v1__delete_##name##_response__descriptor

const struct kind kinds[KIND_COUNT] = {
    { KIND_MODEL, "Model", "model", "models", "model", "models", PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_MODEL,
      METHODS("ModelService", "Model", model) },
    { KIND_ENDPOINT_CONFIG, "EndpointConfig", "endpoint-config", "endpoint-configs", "config", "configs",
      PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_ENDPOINT_CONFIG,
      METHODS("EndpointConfigService", "EndpointConfig", endpoint_config) },
    { KIND_ENDPOINT, "Endpoint", "endpoint", "endpoints", "endpoint", "endpoints",
      PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_ENDPOINT, METHODS("EndpointService", "Endpoint", endpoint) },
};

const struct kind *kind_by_title(const char *title)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!strcmp(kinds[i].title, title))
            return &kinds[i];
    }
    return NULL;
}

const struct kind *kind_by_word(const char *word)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        const struct kind *k = &kinds[i];
        const char *const names[] = { k->word, k->plural, k->alias, k->plural_alias };
        for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++) {
            if (!strcmp(names[n], word))
                return k;
        }
    }
    return NULL;
}
