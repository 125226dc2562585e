#include "name.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool name_valid(const char *s, size_t n)
{
    if (n == 0 || n > NAME_LENGTH_MAX || s[0] == '-' || s[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_alphanumeric(s[i]) && s[i] != '-')
            return false;
    return true;
}
