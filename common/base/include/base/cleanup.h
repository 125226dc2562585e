/* cleanup - values that leave with their scope.
 *
 *     pl_cleanup(pl_free_p) char *name = pl_strdup(src);     freed on every way out ...
 *     *out = pl_take(name);                                  ... unless it is taken first
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#define PL_MUST_CHECK        __attribute__((warn_unused_result))
#define PL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PL_NORETURN          __attribute__((noreturn))

#define pl_cleanup(fn) __attribute__((cleanup(fn)))

/* The pointer's value; the variable itself becomes NULL, so that its cleanup does nothing. */
#define pl_take(ptr)                                                                                                   \
    ({                                                                                                                 \
        __typeof__(ptr) pl_taken_ = (ptr);                                                                             \
        (ptr) = NULL;                                                                                                  \
        pl_taken_;                                                                                                     \
    })

/* The descriptor's value; the variable itself becomes -1. */
#define pl_take_fd(fd)                                                                                                 \
    ({                                                                                                                 \
        int pl_taken_ = (fd);                                                                                          \
        (fd) = -1;                                                                                                     \
        pl_taken_;                                                                                                     \
    })

/* For pl_cleanup, and by hand as often as you like: free(*p), close(*fd) when it is not negative; the variable is NULL
 * or -1 afterwards. */
void pl_free_p(void *p);
void pl_close_p(int *fd);

#define PL_COUNT(array)                 (sizeof(array) / sizeof((array)[0]))
#define PL_CONTAINER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
