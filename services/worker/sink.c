#include "sink.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

static enum pl_code disk_failed(struct pl_err *err, const char *what)
{
    return pl_fail_reason(err, PL_INTERNAL, "CACHE_FAILED", NULL, "cannot %s the fetched artifact: %s", what,
                          strerror(errno));
}

static enum pl_code digest_start(struct sink *s, struct pl_err *err)
{
    if (EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL) != 1)
        return pl_fail(err, PL_INTERNAL, NULL, "libcrypto has no SHA-256");
    return PL_OK;
}

enum pl_code sink_open(struct sink *s, int fd, int64_t limit_bytes, struct pl_err *err)
{
    *s = (struct sink){ .fd = fd, .limit_bytes = limit_bytes, .digest = EVP_MD_CTX_new() };
    if (!s->digest)
        pl_die("out of memory");
    return digest_start(s, err);
}

void sink_done(struct sink *s)
{
    EVP_MD_CTX_free(s->digest);
    s->digest = NULL;
}

enum pl_code sink_restart(struct sink *s, struct pl_err *err)
{
    s->bytes = 0;
    if (ftruncate(s->fd, 0) != 0 || lseek(s->fd, 0, SEEK_SET) != 0)
        return disk_failed(err, "empty");
    return digest_start(s, err);
}

enum pl_code sink_write(struct sink *s, const void *bytes, size_t n, struct pl_err *err)
{
    const char *p = bytes;

    if (n > (uint64_t)(s->limit_bytes - s->bytes))
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_TOO_LARGE", "artifact_uri",
                              "larger than this host's artifact_limit of %" PRId64 " bytes", s->limit_bytes);
    (void)EVP_DigestUpdate(s->digest, bytes, n);
    s->bytes += (int64_t)n;
    while (n > 0) {
        ssize_t done = write(s->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return disk_failed(err, "write");
        p += done;
        n -= (size_t)done;
    }
    return PL_OK;
}

enum pl_code sink_finish(struct sink *s, char out_sha256[SHA256_HEX], struct pl_err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (fsync(s->fd) != 0)
        return disk_failed(err, "sync");
    if (EVP_DigestFinal_ex(s->digest, digest, &len) != 1)
        return pl_fail(err, PL_INTERNAL, NULL, "libcrypto did not finish a SHA-256");
    pl_hex(digest, len, out_sha256);
    return PL_OK;
}

bool sha256_valid(const char *s)
{
    return strlen(s) == SHA256_HEX - 1 && strspn(s, "0123456789abcdef") == SHA256_HEX - 1;
}
