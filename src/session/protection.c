/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/protection.h"

#include <stddef.h>

#include "srdma.h"

/* Strongest first. */
static const struct protection protections[] = {
	{ SRDMA_PROTECTION_NONE, "none" },
};

const struct protection *protection_choose(uint32_t offered, uint32_t allowed)
{
	for (size_t i = 0; i < sizeof(protections) / sizeof(protections[0]); i++)
		if (protections[i].bit & offered & allowed)
			return &protections[i];
	return NULL;
}

const struct protection *protection_chosen(uint32_t chosen, uint32_t offered)
{
	const struct protection *protection = protection_choose(chosen, offered);

	return protection && protection->bit == chosen ? protection : NULL;
}
