/* aws_xml - XML out: elements by hand for S3, results of the query protocol from JSON values. */
#ifndef GATEWAY_AWS_XML_H
#define GATEWAY_AWS_XML_H

#include "text_builder.h"

#include <jansson.h>

#define XML_DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

/* What XML 1.0 cannot hold becomes '?'. */
void xml_add_escaped(struct text *out, const char *s);
void xml_element(struct text *out, const char *name, const char *value);
void xml_elementf(struct text *out, const char *name, const char *fmt, ...) PL_PRINTF(3, 4);

/* An object's members as elements; arrays as <member> elements; what aws_map() made as <entry> elements. */
void xml_add_value(struct text *out, const json_t *v);
#define XML_MAP_MARK "\x01map"

#endif
