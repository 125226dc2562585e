/* network.allow: what entries are, and what they allow. */
#include "egress/address.h"
#include "egress/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct egress_rules *rules_of(const char *const *entries)
{
    struct egress_rules *r = egress_rules_new();
    struct pl_err err;

    for (; *entries; entries++)
        if (egress_rules_add(r, *entries, &err) != PL_OK)
            fail_msg("%s", err.message);
    return r;
}

static void entries_that_are_none(void **state)
{
    static const char *const wrong[] = {
        "",         "fraud",          "fraud=",      "fraud=host",    "=host:80",         "fr aud=host:80", "fraud=:80",
        "a=host:0", "a=host:65536",   "a=host:x",    "a=host:",       "a=ho st:80",       "a=*.:80",        "a=**:80",
        "a=*x:80",  "a=[::1:80",      "a=[host]:80", "a=::1:80",      "a=[1.2.3.4.5]:80", "a=h/x:80",       "a:80=host",
        "a=*.*:80", "a=host:80,b=:1", "a_b=host:80", "a=\xc3\xa9:80", "a=host:-1",        "a=host:+1",      "a=a:b:80",
    };
    struct egress_rules *r = egress_rules_new();
    struct pl_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(egress_rules_add(r, wrong[i], &err), PL_INVALID);
        assert_string_equal(err.field, "network.allow");
        assert_non_null(strstr(err.message, "ENDPOINT=HOST:PORT"));
    }
    assert_int_equal(egress_rules_count(r), 0);
    egress_rules_free(r);
}

static void entries_are_limited(void **state)
{
    struct egress_rules *r = egress_rules_new();
    char name[80], host[320];
    struct pl_err err;

    (void)state;
    memset(name, 'n', sizeof(name));
    (void)snprintf(host, sizeof(host), "%.63s=h:1", name);
    assert_int_equal(egress_rules_add(r, host, &err), PL_OK);
    (void)snprintf(host, sizeof(host), "%.64s=h:1", name);
    assert_int_equal(egress_rules_add(r, host, &err), PL_INVALID);
    memset(host, 'h', sizeof(host));
    (void)memcpy(host, "e=", 2);
    (void)snprintf(host + 2 + EGRESS_HOST_MAX, 5, ":1");
    assert_int_equal(egress_rules_add(r, host, &err), PL_OK);
    memset(host + 2, 'h', EGRESS_HOST_MAX + 1);
    (void)snprintf(host + 3 + EGRESS_HOST_MAX, 5, ":1");
    assert_int_equal(egress_rules_add(r, host, &err), PL_INVALID);
    while (egress_rules_count(r) < EGRESS_RULES_MAX)
        assert_int_equal(egress_rules_add(r, "a=b:1", &err), PL_OK);
    assert_int_equal(egress_rules_add(r, "a=b:1", &err), PL_INVALID);
    egress_rules_free(r);
}

static void what_they_allow(void **state)
{
    static const char *const entries[] = { "fraud=api.example.com:443", "team-*=*.internal:8080",
                                           "*-eu=10.0.0.7:*",           "all=*:53",
                                           "v6=[2001:DB8::1]:80",       NULL };
    static const struct {
        const char *endpoint, *host;
        uint16_t port;
        bool allowed;
    } cases[] = {
        { "fraud", "api.example.com", 443, true },
        { "fraud", "api.example.com", 80, false },
        { "fraud", "example.com", 443, false },
        { "fraud", "x.api.example.com", 443, false },
        { "fraud2", "api.example.com", 443, false },
        { "xfraud", "api.example.com", 443, false },
        { "Fraud", "api.example.com", 443, false },
        { "team-a", "db.internal", 8080, true },
        { "team-", "a.b.internal", 8080, true },
        { "team-a", "internal", 8080, false },
        { "team-a", "evilinternal", 8080, false },
        { "team-a", "db.internal.evil.com", 8080, false },
        { "fraud-eu", "10.0.0.7", 1, true },
        { "fraud-eu", "10.0.0.8", 1, false },
        { "fraud-eu", "::ffff:10.0.0.7", 1, true },
        { "fraud-eu-1", "10.0.0.7", 1, false },
        { "all", "anything", 53, true },
        { "all", "anything", 54, false },
        { "v6", "2001:db8:0:0::1", 80, true },
        { "nobody", "api.example.com", 443, false },
    };
    struct egress_rules *r = rules_of(entries);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (egress_rules_permit(r, cases[i].endpoint, cases[i].host, cases[i].port) != cases[i].allowed)
            fail_msg("%s to %s:%u", cases[i].endpoint, cases[i].host, cases[i].port);
    assert_true(egress_rules_concern(r, "team-x"));
    assert_false(egress_rules_concern(r, "nobody"));
    egress_rules_free(r);
}

static void stars_in_names(void **state)
{
    static const char *const entries[] = { "a*b*c=h:1", NULL };
    struct egress_rules *r = rules_of(entries);

    (void)state;
    assert_true(egress_rules_concern(r, "abc"));
    assert_true(egress_rules_concern(r, "axxbyyc"));
    assert_true(egress_rules_concern(r, "abcbc"));
    assert_false(egress_rules_concern(r, "ab"));
    assert_false(egress_rules_concern(r, "acb"));
    assert_false(egress_rules_concern(r, "abcd"));
    egress_rules_free(r);
}

static void addresses_by_themselves(void **state)
{
    static const char *const entries[] = { "a=*:*", "a=*.internal:80", "b=127.0.0.1:80", "c=[::1]:*", NULL };
    struct egress_rules *r = rules_of(entries);
    struct in6_addr v4, v6;

    (void)state;
    assert_true(egress_address_read("127.0.0.1", &v4));
    assert_true(egress_address_read("::1", &v6));
    assert_false(egress_rules_name_address(r, "a", &v4, 80)); /* only who has the address itself */
    assert_true(egress_rules_name_address(r, "b", &v4, 80));
    assert_false(egress_rules_name_address(r, "b", &v4, 81));
    assert_false(egress_rules_name_address(r, "b", &v6, 80));
    assert_true(egress_rules_name_address(r, "c", &v6, 9));
    egress_rules_free(r);
}

static void what_is_special(void **state)
{
    static const struct {
        const char *address;
        bool special;
    } cases[] = {
        { "127.0.0.1", true },
        { "127.255.0.9", true },
        { "0.0.0.0", true },
        { "169.254.169.254", true },
        { "169.253.0.1", false },
        { "168.63.129.16", true },
        { "100.100.100.200", true },
        { "192.0.0.192", true },
        { "224.0.0.251", true },
        { "255.255.255.255", true },
        { "10.1.2.3", false },
        { "192.168.1.1", false },
        { "93.184.216.34", false },
        { "::", true },
        { "::1", true },
        { "fe80::1", true },
        { "febf::1", true },
        { "fec0::1", false },
        { "ff02::1", true },
        { "fd00:ec2::254", true },
        { "fd00:ec3::254", false },
        { "2001:db8::1", false },
        { "::ffff:169.254.169.254", true },
        { "::ffff:10.0.0.1", false },
        { "64:ff9b::169.254.169.254", true },
        { "64:ff9b::10.0.0.1", false },
        { "2002:7f00:1::", true },
        { "2002:a00:1::", false },
        { "::127.0.0.1", true },
        { "::ffff:0:127.0.0.1", true },
        { "::ffff:0:10.0.0.1", false },
        { "64:ff9b:1::1", true },
        { "64:ff9b:1:ffff:a9fe:a9fe::", true },
        { "64:ff9b:2::1", false },
        { "2001::4136:e378:8000:63bf:3fff:fdd2", true },
        { "2001:1::1", false },
        { "fd20:ce::254", true },
        { "fd20:cf::254", false },
        { "fd00:42::42", true },
        { "fd00:43::42", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct in6_addr a;

        assert_true(egress_address_read(cases[i].address, &a));
        if ((egress_address_special(&a) != NULL) != cases[i].special)
            fail_msg("%s", cases[i].address);
    }
}

static void addresses_that_are_none(void **state)
{
    static const char *const wrong[] = {
        "", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "1.2.3.4.5", "fe80::1%lo"
    };
    struct in6_addr a;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(egress_address_read(wrong[i], &a));
}

static void sockets_of_addresses(void **state)
{
    struct sockaddr_storage s;
    struct in6_addr a, back;

    (void)state;
    assert_true(egress_address_read("10.0.0.7", &a));
    assert_int_equal(egress_address_socket(&a, 80, &s), sizeof(struct sockaddr_in));
    assert_int_equal(((struct sockaddr_in *)&s)->sin_port, htons(80));
    assert_true(egress_address_of((struct sockaddr *)&s, &back));
    assert_memory_equal(&a, &back, sizeof(a));
    assert_true(egress_address_read("2001:db8::1", &a));
    assert_int_equal(egress_address_socket(&a, 80, &s), sizeof(struct sockaddr_in6));
    assert_true(egress_address_of((struct sockaddr *)&s, &back));
    assert_memory_equal(&a, &back, sizeof(a));
    s.ss_family = AF_UNIX;
    assert_false(egress_address_of((struct sockaddr *)&s, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_that_are_none),   cmocka_unit_test(entries_are_limited),
        cmocka_unit_test(what_they_allow),         cmocka_unit_test(stars_in_names),
        cmocka_unit_test(addresses_by_themselves), cmocka_unit_test(what_is_special),
        cmocka_unit_test(addresses_that_are_none), cmocka_unit_test(sockets_of_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
