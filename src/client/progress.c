/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "program/app.h"
#include "program/units.h"

#define DRAW_EVERY_US 100000
#define NAME_WIDTH    24
#define BAR_WIDTH     24

void progress_begin(struct progress *progress, const char *name, bool wanted)
{
	*progress = (struct progress){
		.name = name,
		.shown = wanted && isatty(STDERR_FILENO),
		.started_us = clock_us(),
	};
}

static void format_left(char *out, uint64_t bytes, uint64_t total, uint64_t us)
{
	double left = bytes ? (double)us * (double)(total - bytes) / (double)bytes : 0;
	unsigned seconds = (unsigned)(left / 1e6 < 359999 ? left / 1e6 : 359999);

	snprintf(out, UNITS_TEXT, "%02u:%02u:%02u", seconds / 3600, seconds / 60 % 60,
	         seconds % 60);
}

void progress_format(char *out, size_t size, unsigned width, const char *name,
                     uint64_t bytes, uint64_t total, uint64_t us)
{
	char amount[UNITS_TEXT], rate[UNITS_TEXT], left[UNITS_TEXT], bar[BAR_WIDTH + 1];
	uint64_t part;

	format_size(amount, bytes);
	format_rate(rate, bytes, us);
	if (total == APP_SIZE_UNKNOWN || bytes > total) {
		snprintf(out, size, "%-*.*s  %10s  %12s", NAME_WIDTH, NAME_WIDTH, name,
		         amount, rate);
	} else {
		part = total ? bytes * 100 / total : 100;
		memset(bar, '.', BAR_WIDTH);
		memset(bar, '#', part * BAR_WIDTH / 100);
		bar[BAR_WIDTH] = '\0';
		format_left(left, bytes, total, us);
		snprintf(out, size, "%-*.*s %3u%% [%s] %10s  %12s  %s", NAME_WIDTH,
		         NAME_WIDTH, name, (unsigned)part, bar, amount, rate, left);
	}
	if (width < size)
		out[width] = '\0';
}

static unsigned terminal_width(void)
{
	struct winsize window;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) < 0 || !window.ws_col)
		return 80;
	return window.ws_col - 1u;
}

void progress_update(struct progress *progress, uint64_t bytes, uint64_t total)
{
	uint64_t now = clock_us();
	char line[160];

	if (!progress->shown || now - progress->drawn_us < DRAW_EVERY_US)
		return;
	progress->drawn_us = now;
	progress_format(line, sizeof(line), terminal_width(), progress->name, bytes,
	                total, now - progress->started_us);
	fprintf(stderr, "\r%s\033[K", line);
}

void progress_end(struct progress *progress)
{
	if (progress->shown && progress->drawn_us)
		fputs("\r\033[K", stderr);
}
