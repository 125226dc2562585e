/* aws_words - control's sentences name the fields of our protos; a client knows the members of AWS.
 *
 * One pass over the text. A row stands for its word alone and not for a part of a longer one ("values" in "values[3]"
 * but not in "max_values"); where several rows fit, the first counts, so "alarm.name" comes before "alarm.". */
#ifndef GATEWAY_AWS_WORDS_H
#define GATEWAY_AWS_WORDS_H

#include "arena.h"

struct aws_word {
    const char *ours, *theirs;
};

/* 'table' ends with a row of NULL. The result lives in 'a'. */
const char *aws_words(struct arena *a, const char *text, const struct aws_word *table);

#endif
