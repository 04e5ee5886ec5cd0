/* SPDX-License-Identifier: BSD-2-Clause */
/* How both programs speak of what was checked of a session. */
#ifndef PROGRAM_ATTESTED_H
#define PROGRAM_ATTESTED_H

#include <stdbool.h>

#include "srdma.h"

/* All that its transport has to check. */
bool attested_all(const struct srdma_attestation *a);

/* "verbs", "fabric"; "direct", "cm" */
const char *attested_transport(const struct srdma_attestation *a);
const char *attested_connect(const struct srdma_attestation *a);

#endif
