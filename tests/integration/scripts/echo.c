/* The container contract in C: /ping is 200, /invocations answers with what came. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(8080) };
    int s = socket(AF_INET, SOCK_STREAM, 0);
    static char in[1 << 16], out[1 << 16];

    if (bind(s, (void *)&at, sizeof(at)) || listen(s, 8))
        return 1;
    for (int c; (c = accept(s, NULL, NULL)) >= 0; close(c)) {
        ssize_t n = read(c, in, sizeof(in) - 1);
        char *body = n > 0 ? (in[n] = '\0', strstr(in, "\r\n\r\n")) : NULL;
        int m =
            snprintf(out, sizeof(out), "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n%s", body ? body + 4 : "");

        if (write(c, out, (size_t)m) != m)
            return 1;
    }
}
