/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/partial.h"

#include <string.h>

#include "program/fault.h"

int partial_begin(struct partial *partial, struct newfile *file)
{
	partial->sha = sha256_new();
	if (!partial->sha) {
		newfile_free(file);
		return fault(FAULT_MEMORY, "out of memory for a transfer");
	}
	partial->file = file;
	return 0;
}

int partial_add(struct partial *partial, const void *data, size_t length)
{
	int error = sha256_update(partial->sha, data, length);

	if (!error)
		error = newfile_append(partial->file, data, length);
	if (!error)
		partial->bytes += length;
	return error;
}

int partial_digest(const struct partial *partial, uint8_t digest[SHA256_BYTES])
{
	if (!partial->published)
		return sha256_so_far(partial->sha, digest);
	memcpy(digest, partial->sha256, SHA256_BYTES);
	return 0;
}

int partial_publish(struct partial *partial, uint64_t length,
                    const uint8_t digest[SHA256_BYTES], bool sync)
{
	uint8_t own[SHA256_BYTES];
	int error = partial_digest(partial, own);

	if (error)
		return error;
	if (partial->bytes != length || memcmp(own, digest, SHA256_BYTES) != 0)
		return fault(
		        FAULT_MISMATCH,
		        "what arrived is not what was sent (SHA-256 differs): it was "
		        "not stored, try again");
	if (partial->published)
		return 0;
	error = newfile_publish(partial->file, sync);
	if (error)
		return error;
	newfile_free(partial->file);
	partial->file = NULL;
	memcpy(partial->sha256, own, SHA256_BYTES);
	partial->published = true;
	return 0;
}

void partial_hand_over(struct partial *partial, bool usable)
{
	struct keeper *keeper = partial->keeper;

	if (!keeper)
		return;
	partial->keeper = NULL;
	keeper->keep(keeper, usable ? partial : NULL);
	if (usable)
		*partial = (struct partial){ 0 };
}

void partial_clear(struct partial *partial)
{
	newfile_free(partial->file);
	sha256_free(partial->sha);
	*partial = (struct partial){ .keeper = partial->keeper };
}
