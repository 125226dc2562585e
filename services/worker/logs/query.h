/* query - the blocking half of a read: goes over the segments that the store named. In a job; touches only 'r' and the
 * disk. */
#ifndef LOGS_QUERY_H
#define LOGS_QUERY_H

struct log_read;

void query_lines(const char *dir, struct log_read *r);
void query_streams(const char *dir, struct log_read *r);

#endif
