// SPDX-License-Identifier: BSD-2-Clause
#include "api/api.h"
#include "base/util.h"
#include "link/capture.h"
#include "object/inspect.h"

MOCK_API int mockrdma_inspect(const char *kind, mockrdma_visit *visit, void *arg)
{
	return inspect(kind, visit, arg);
}

MOCK_API int mockrdma_dump(const char *file, int (*line)(void *arg, const char *text),
                           void *arg)
{
	return capture_print(file, line, arg);
}
