#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Healthy is a server that takes clients, where METRICS (a port) says that one should be here, and
# else a container in which the device can be opened.
if [ -n "${METRICS:-}" ]; then
	exec 3<>"/dev/tcp/127.0.0.1/$METRICS" || exit 1
	printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3
	read -r -t 3 _ status _ <&3
	[ "$status" = 200 ]
else
	mockrdma run -- mockrdma ls >/dev/null
fi
