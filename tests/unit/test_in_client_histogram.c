// SPDX-License-Identifier: BSD-2-Clause
/* What `bench` counts its times with: percentiles to a thirtieth, for any values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/histogram.h"

static void assert_near(uint64_t value, uint64_t wanted)
{
	assert_true(value >= wanted);
	assert_true(value <= wanted + wanted / 31);
}

static void percentiles(void **state)
{
	static struct histogram h;

	(void)state;
	assert_int_equal(histogram_at(&h, 0.5), 0);
	for (uint64_t i = 1; i <= 100000; i++)
		histogram_add(&h, i * 1000);
	assert_int_equal(h.count, 100000);
	assert_int_equal(h.least, 1000);
	assert_int_equal(h.most, 100000000);
	assert_int_equal(h.sum, UINT64_C(5000050000000));
	assert_near(histogram_at(&h, 0.5), 50000000);
	assert_near(histogram_at(&h, 0.99), 99000000);
	assert_int_equal(histogram_at(&h, 1), 100000000);
}

static void each_magnitude(void **state)
{
	(void)state;
	for (uint64_t value = 1; value >> 44 == 0; value = value * 5 / 4 + 1) {
		static struct histogram h;

		h = (struct histogram){ 0 };
		histogram_add(&h, value);
		histogram_add(&h, UINT64_MAX); /* more than it tells apart */
		assert_near(histogram_at(&h, 0.5), value);
		assert_int_equal(histogram_at(&h, 1), h.most);
		assert_int_equal(histogram_below(&h, value), 1);
		assert_int_equal(histogram_below(&h, value - value / 16 - 1), 0);
	}
}

static void joined(void **state)
{
	static struct histogram a, b, none;

	(void)state;
	histogram_add(&a, 10);
	histogram_add(&b, 3);
	histogram_add(&b, 1000);
	histogram_join(&a, &b);
	histogram_join(&a, &none);
	assert_int_equal(a.count, 3);
	assert_int_equal(a.least, 3);
	assert_int_equal(a.most, 1000);
	assert_int_equal(a.sum, 1013);
	assert_int_equal(histogram_below(&a, 10), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles),
		cmocka_unit_test(each_magnitude),
		cmocka_unit_test(joined),
	};

	return cmocka_run_group_tests_name("client histogram", tests, NULL, NULL);
}
