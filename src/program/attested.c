/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/attested.h"

bool attested_all(const struct srdma_attestation *a)
{
	unsigned all = a->transport == SRDMA_TRANSPORT_FABRIC ? SRDMA_ATTESTED_FABRIC
	                                                      : SRDMA_ATTESTED_ALL;

	return a->checked == all;
}

const char *attested_transport(const struct srdma_attestation *a)
{
	return a->transport == SRDMA_TRANSPORT_FABRIC ? "fabric" : "verbs";
}

const char *attested_connect(const struct srdma_attestation *a)
{
	return a->connect == SRDMA_CONNECT_CM ? "cm" : "direct";
}
