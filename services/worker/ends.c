#include "ends.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

bool ends_make(struct ends *out)
{
    int channel[2], log[2];

    *out = (struct ends){ -1, -1, -1, -1 };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0)
        return false;
    out->channel = channel[0];
    out->their_channel = channel[1];
    if (pipe2(log, O_CLOEXEC) != 0)
        return false;
    out->log = log[0];
    out->their_log = log[1];
    return fcntl(out->channel, F_SETFL, O_NONBLOCK) == 0 && fcntl(out->log, F_SETFL, O_NONBLOCK) == 0;
}
