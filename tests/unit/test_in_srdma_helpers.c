/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers, cursor, list, log, options, errors, message heads, protection, devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "lib/check.h"
#include "common/cursor.h"
#undef fail /* cmocka's */
#include "session/adapter.h"
#include "session/error.h"
#include "session/message.h"
#include "session/options.h"
#include "session/protection.h"
#include "session/timer.h"

/*
 * Timers
 */

enum { TIMERS = 500 };

static struct timers timers;
static uint64_t last_expired;
static unsigned expired_count;

static void note(struct timer *timer)
{
	CHECK_EQ(timer->slot, 0);
	CHECK(timer->at >= last_expired);
	last_expired = timer->at;
	expired_count++;
}

static void timers_expire_in_order(void **state)
{
	static struct timer all[TIMERS];
	unsigned seed = 7, cancelled = 0;

	(void)state;
	CHECK_EQ(timers_first(&timers), UINT64_MAX);
	CHECK_EQ(timers_reserve(&timers, TIMERS), 0);
	for (int i = 0; i < TIMERS; i++) {
		all[i].expired = note;
		timer_set(&timers, &all[i], (uint64_t)rand_r(&seed) % 1000);
	}
	/* Moved, and moved twice, and cancelled, and cancelled twice. */
	for (int i = 0; i < TIMERS; i += 3)
		timer_set(&timers, &all[i], (uint64_t)rand_r(&seed) % 1000);
	for (int i = 0; i < TIMERS; i += 7) {
		timer_cancel(&timers, &all[i]);
		timer_cancel(&timers, &all[i]);
		cancelled++;
	}
	for (uint64_t now = 0; now < 1000; now += 10) {
		timers_run(&timers, now);
		CHECK(timers_first(&timers) > now);
	}
	timers_run(&timers, 1000);
	CHECK_EQ(expired_count, TIMERS - cancelled);
	CHECK_EQ(timers_first(&timers), UINT64_MAX);
	timers_clear(&timers);
}

static void set_again(struct timer *timer)
{
	timer_set(&timers, timer, timer->at + 100);
	expired_count++;
}

static void timer_sets_itself(void **state)
{
	struct timer timer = { .expired = set_again };

	(void)state;
	expired_count = 0;
	CHECK_EQ(timers_reserve(&timers, 1), 0);
	timer_set(&timers, &timer, 50);
	CHECK_EQ(timers_run(&timers, 100), 1);
	CHECK_EQ(timers_first(&timers), 150);
	timer_cancel(&timers, &timer);
	timers_clear(&timers);
}

static void clock_goes_forward(void **state)
{
	uint64_t before = clock_us(), after = clock_us();

	(void)state;
	CHECK(before > 0 && after >= before);
}

/*
 * Cursor
 */

static void reader_stays_in_bounds(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7 };
	struct reader r = reader_of(bytes, sizeof(bytes));
	uint8_t copy[4] = { 9, 9, 9, 9 };

	(void)state;
	CHECK_EQ(get_u16(&r), 0x0102);
	CHECK_EQ(get_u32(&r), 0x03040506);
	CHECK(!r.bad);
	CHECK_EQ(get_u16(&r), 0);
	CHECK(r.bad);
	/* Bad stays bad, though one byte is left. */
	CHECK_EQ(get_u8(&r), 0);
	CHECK(!get_bytes(&r, 0));
	get_copy(&r, copy, sizeof(copy));
	CHECK_EQ(copy[0], 0);
}

static void writer_stays_in_bounds(void **state)
{
	uint8_t bytes[8];
	struct writer w = writer_of(bytes, 7);

	(void)state;
	bytes[7] = 0xee;
	put_u8(&w, 1);
	put_u32(&w, 0x02030405);
	put_bytes(&w, NULL, 0);
	CHECK(!w.bad);
	put_u64(&w, 1);
	CHECK(w.bad);
	put_u8(&w, 1);
	CHECK_EQ(w.used, 5);
	CHECK_EQ(bytes[4], 5);
	CHECK_EQ(bytes[7], 0xee);
}

/*
 * List
 */

struct item {
	int number;
	struct list node;
};

static int sum(struct list *head)
{
	int total = 0;

	list_for_each (node, head)
		total = total * 10 + container_of(node, struct item, node)->number;
	return total;
}

static void lists(void **state)
{
	struct item items[5];
	struct list a, b;

	(void)state;
	list_init(&a);
	list_init(&b);
	for (int i = 0; i < 5; i++) {
		items[i].number = i + 1;
		list_append(i < 3 ? &a : &b, &items[i].node);
	}
	CHECK_EQ(sum(&a), 123);
	list_splice(&a, &b);
	CHECK(list_empty(&b));
	CHECK_EQ(sum(&a), 12345);
	list_splice(&a, &b);
	list_remove(&items[2].node);
	list_remove(&items[2].node);
	CHECK_EQ(sum(&a), 1245);
	list_for_each_safe (node, &a)
		list_remove(node);
	CHECK(list_empty(&a));
}

/*
 * Log
 */

static char logged[2048];
static enum srdma_log_level logged_level;

static void keep_line(enum srdma_log_level level, const char *line, void *user)
{
	CHECK(user == &logged);
	logged_level = level;
	snprintf(logged, sizeof(logged), "%s", line);
}

static void log_levels_and_control_characters(void **state)
{
	(void)state;
	log_error("to nobody");
	srdma_log_to(keep_line, &logged, SRDMA_LOG_WARN);
	log_info("too detailed");
	CHECK_EQ(logged[0], 0);
	log_warn("a%sb", "\r\n\033[0m");
	assert_string_equal(logged, "a???[0mb");
	CHECK_EQ(logged_level, SRDMA_LOG_WARN);
	log_error("%01500d", 1);
	CHECK_EQ(strlen(logged), 1023);
	srdma_log_to(NULL, NULL, SRDMA_LOG_ERROR);
	CHECK(!srdma_log_enabled(SRDMA_LOG_ERROR));
}

/*
 * Options and errors
 */

static void number_options_have_ranges(void **state)
{
	struct srdma_context *context;
	uint64_t value = 0;

	(void)state;
	CHECK_EQ(srdma_context_new(&context), 0);
	for (int option = SRDMA_OPT_CONNECT; option < NUMBER_OPTIONS; option++) {
		CHECK_EQ(srdma_context_get_number(context, option, &value), 0);
		CHECK_EQ(srdma_context_set_number(context, option, value), 0);
		CHECK_EQ(srdma_context_set_number(context, option, UINT64_MAX),
		         SRDMA_EINVAL);
		CHECK(strstr(srdma_detail(), "is not in") != NULL);
	}
	CHECK_EQ(srdma_context_set_number(context, SRDMA_OPT_MESSAGE_SIZE, 1023),
	         SRDMA_EINVAL);
	CHECK_EQ(srdma_context_set_number(context, SRDMA_OPT_MESSAGE_SIZE, 1024), 0);
	CHECK_EQ(srdma_context_get_number(context, SRDMA_OPT_MESSAGE_SIZE, &value), 0);
	CHECK_EQ(value, 1024);
	/* A protection that this version does not have cannot be asked for. */
	CHECK_EQ(srdma_context_set_number(context, SRDMA_OPT_PROTECTION, 8),
	         SRDMA_EINVAL);
	CHECK_EQ(srdma_context_set_number(context, NUMBER_OPTIONS, 1), SRDMA_EINVAL);
	CHECK_EQ(srdma_context_get_number(context, 0, &value), SRDMA_EINVAL);
	CHECK_EQ(srdma_context_set_text(context, TEXT_OPTIONS, "x"), SRDMA_EINVAL);
	CHECK_EQ(srdma_context_set_text(context, SRDMA_OPT_DEVICE, "mock0"), 0);
	CHECK_EQ(srdma_context_set_text(context, SRDMA_OPT_DEVICE, NULL), 0);
	srdma_context_free(context);
}

static void codes_have_categories_and_text(void **state)
{
	(void)state;
	for (int code = -1; code >= SRDMA_ECROWDED; code--) {
		CHECK(srdma_category(code) > SRDMA_OK &&
		      srdma_category(code) <= SRDMA_INTERNAL);
		CHECK(strlen(srdma_strerror(code)) > 5);
	}
	CHECK_EQ(srdma_category(0), SRDMA_OK);
	CHECK_EQ(srdma_category(1), SRDMA_INTERNAL);
	CHECK_EQ(srdma_category(-1000), SRDMA_INTERNAL);
	assert_string_equal(srdma_strerror(-1000), "unknown error");
	assert_string_equal(srdma_category_name(SRDMA_PROTOCOL), "protocol");
	assert_string_equal(srdma_category_name(99), "unknown");
	assert_string_equal(srdma_version(), PROJECT_VERSION);
}

static void detail_can_quote_itself(void **state)
{
	(void)state;
	CHECK_EQ(fail(SRDMA_EINVAL, "inner"), SRDMA_EINVAL);
	CHECK_EQ(fail(SRDMA_EPROTOCOL, "outer: %s", srdma_detail()), SRDMA_EPROTOCOL);
	assert_string_equal(srdma_detail(), "outer: inner");
}

/*
 * Small codecs and tables
 */

static void message_heads(void **state)
{
	struct message_head head;

	(void)state;
	CHECK_EQ(message_encode((struct message_head){ MESSAGE_DATA, 0x1234, 0xab }),
	         0x01ab1234);
	for (int sealed = 0; sealed < 2; sealed++) {
		CHECK(message_parse(0x0200ffff, sealed, &head));
		CHECK_EQ(head.type, MESSAGE_CREDIT);
		CHECK_EQ(head.credits, 0xffff);
		CHECK(message_parse(0x03000000, sealed, &head));
		CHECK(!message_parse(0x03010000, sealed, &head));
		CHECK(!message_parse(0, sealed, &head));
		CHECK(!message_parse(0x08000000, sealed, &head));
		CHECK(!message_parse(0x11000000, sealed, &head));
		/* What only sealed sessions have. */
		CHECK_EQ(message_parse(0x04000000, sealed, &head), sealed);
		CHECK_EQ(message_parse(0x07000000, sealed, &head), sealed);
		CHECK_EQ(message_parse(0x01fe0000, sealed, &head), sealed);
	}
	CHECK_EQ(message_encode(head), 0x01fe0000);
}

static void check_choice(uint32_t offered, uint32_t allowed, bool aes_is_slow,
                         const char *name)
{
	const struct protection *choice =
	        protection_choose(offered, allowed, aes_is_slow);

	CHECK(choice != NULL);
	assert_string_equal(choice->name, name);
	CHECK_EQ(choice->sealed, strcmp(name, "none") != 0);
}

static void protections(void **state)
{
	(void)state;
	CHECK(!protection_choose(0x80000000, UINT32_MAX, false));
	CHECK(!protection_choose(SRDMA_PROTECTION_NONE, 0, false));
	CHECK(!protection_choose(SRDMA_PROTECTION_NONE, SRDMA_PROTECTION_SEALED, false));
	check_choice(UINT32_MAX, SRDMA_PROTECTION_NONE, false, "none");
	/* Sealed where both can, and by what is fast for both. */
	check_choice(7, 7, false, "aes-256-gcm");
	check_choice(7, 7, true, "chacha20-poly1305");
	check_choice(7 | PROTECTION_AVOID_AES, 7, false, "chacha20-poly1305");
	check_choice(3 | PROTECTION_AVOID_AES, 7, true, "aes-256-gcm");
	check_choice(5, 7, false, "chacha20-poly1305");
	CHECK(protection_chosen(SRDMA_PROTECTION_NONE, SRDMA_PROTECTION_NONE) != NULL);
	/* A choice is one, and one that was offered. */
	CHECK(!protection_chosen(0, SRDMA_PROTECTION_NONE));
	CHECK(!protection_chosen(3, 3));
	CHECK(!protection_chosen(SRDMA_PROTECTION_NONE, 2));
}

/*
 * Devices
 */

static int connect_on(enum ibv_transport_type transport, uint64_t connect)
{
	struct ibv_device device = { .transport_type = transport, .name = "dev0" };
	struct ibv_context verbs = { .device = &device };
	const struct adapter adapter = { .verbs = &verbs };

	return adapter_check_connect(&adapter, connect);
}

static void iwarp_needs_the_connection_manager(void **state)
{
	(void)state;
	CHECK_EQ(connect_on(IBV_TRANSPORT_IWARP, SRDMA_CONNECT_DIRECT), SRDMA_ENODEVICE);
	CHECK(strstr(srdma_detail(), "dev0 is iWARP") != NULL);
	CHECK(strstr(srdma_detail(), "connect by 'cm'") != NULL);
	CHECK_EQ(connect_on(IBV_TRANSPORT_IWARP, SRDMA_CONNECT_CM), 0);
	CHECK_EQ(connect_on(IBV_TRANSPORT_IB, SRDMA_CONNECT_DIRECT), 0);
	CHECK_EQ(connect_on(IBV_TRANSPORT_IB, SRDMA_CONNECT_CM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_expire_in_order),
		cmocka_unit_test(timer_sets_itself),
		cmocka_unit_test(clock_goes_forward),
		cmocka_unit_test(reader_stays_in_bounds),
		cmocka_unit_test(writer_stays_in_bounds),
		cmocka_unit_test(lists),
		cmocka_unit_test(log_levels_and_control_characters),
		cmocka_unit_test(number_options_have_ranges),
		cmocka_unit_test(codes_have_categories_and_text),
		cmocka_unit_test(detail_can_quote_itself),
		cmocka_unit_test(message_heads),
		cmocka_unit_test(protections),
		cmocka_unit_test(iwarp_needs_the_connection_manager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
