/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/protection.h"

#include <stddef.h>

#include "common/platform.h"
#include "srdma.h"

static const struct protection aes = { SRDMA_PROTECTION_AES_256_GCM, "aes-256-gcm",
	                               true };
static const struct protection chacha = { SRDMA_PROTECTION_CHACHA20_POLY1305,
	                                  "chacha20-poly1305", true };
static const struct protection none = { SRDMA_PROTECTION_NONE, "none", false };

bool protection_aes_is_slow(void)
{
	return !platform_has_aes();
}

const struct protection *protection_choose(uint32_t offered, uint32_t allowed,
                                           bool aes_is_slow)
{
	bool chacha_first = aes_is_slow || offered & PROTECTION_AVOID_AES;
	const struct protection *order[] = { chacha_first ? &chacha : &aes,
		                             chacha_first ? &aes : &chacha, &none };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (order[i]->bit & offered & allowed)
			return order[i];
	return NULL;
}

const struct protection *protection_chosen(uint32_t chosen, uint32_t offered)
{
	const struct protection *protection = protection_choose(chosen, offered, false);

	return protection && protection->bit == chosen ? protection : NULL;
}
