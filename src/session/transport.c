/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/transport.h"

const struct transport *transport_find(uint64_t number)
{
	static const struct transport *const all[] = { &transport_verbs,
		                                       &transport_fabric };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i]->number == number)
			return all[i];
	return NULL;
}

const char *transport_name(uint64_t number)
{
	const struct transport *transport = transport_find(number);

	return transport ? transport->name : "unknown";
}
