// SPDX-License-Identifier: BSD-2-Clause
#include "api/api.h"
#include "base/util.h"
#include "object/inspect.h"

MOCK_API int mockrdma_inspect(const char *kind, mockrdma_visit *visit, void *arg)
{
	return inspect(kind, visit, arg);
}
