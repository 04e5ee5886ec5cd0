/* SPDX-License-Identifier: BSD-2-Clause */
/* What a fuzzer's calls are drawn from. After the end come zeros. */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stdint.h>

struct input {
	const uint8_t *at, *end;
};

static inline uint8_t input_byte(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static inline uint32_t input_word(struct input *input)
{
	uint32_t value = input_byte(input);

	value = value << 8 | input_byte(input);
	value = value << 8 | input_byte(input);
	return value << 8 | input_byte(input);
}

/* Mostly small, now and then anything. */
static inline uint64_t input_number(struct input *input)
{
	uint8_t kind = input_byte(input);

	if (kind < 200)
		return kind;
	return kind < 230 ? input_word(input)
	                  : (uint64_t)input_word(input) << 32 | input_word(input);
}

/* Mostly the value that makes sense. */
static inline uint64_t input_mostly(struct input *input, uint64_t value)
{
	return input_byte(input) < 230 ? value : input_number(input);
}

#endif
