/* SPDX-License-Identifier: BSD-2-Clause */
/* The result of `bench` as HTML with plots (SVG), which needs nothing else. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/bench.h"
#include "program/fault.h"

enum {
	WIDTH = 640,
	HEIGHT = 240,
	LEFT = 70,
	BOTTOM = 40,
	TOP = 12,
	POINTS = 200,
	TICKS = 5
};

struct point {
	double x, y;
};

struct plot {
	const char *title, *x_name, *y_name;
	struct point points[POINTS];
	unsigned int count;
};

static double most(const struct plot *plot, bool y)
{
	double value = 0;

	for (unsigned int i = 0; i < plot->count; i++) {
		double at = y ? plot->points[i].y : plot->points[i].x;

		if (at > value)
			value = at;
	}
	return value > 0 ? value : 1;
}

static void write_axes(FILE *out, const struct plot *plot, double x_most, double y_most)
{
	fprintf(out,
	        "<path class=axis d='M%d %dV%dH%d'/><text x=%d y=%d "
	        "text-anchor=middle>%s</text><text transform='translate(14 %d) "
	        "rotate(-90)' text-anchor=middle>%s</text>\n",
	        LEFT, TOP, HEIGHT - BOTTOM, WIDTH, (LEFT + WIDTH) / 2, HEIGHT - 6,
	        plot->x_name, (TOP + HEIGHT - BOTTOM) / 2, plot->y_name);
	for (int i = 0; i <= TICKS; i++) {
		double part = (double)i / TICKS;

		fprintf(out, "<text x=%.0f y=%d text-anchor=middle>%.4g</text>",
		        LEFT + part * (WIDTH - LEFT - 20), HEIGHT - BOTTOM + 16,
		        part * x_most);
		fprintf(out, "<text x=%d y=%.0f text-anchor=end>%.4g</text>\n", LEFT - 6,
		        HEIGHT - BOTTOM + 4 - part * (HEIGHT - BOTTOM - TOP),
		        part * y_most);
	}
}

static void write_plot(FILE *out, const struct plot *plot)
{
	double x_most = most(plot, false), y_most = most(plot, true);

	fprintf(out, "<h2>%s</h2>\n<svg viewBox='0 0 %d %d' role=img>\n", plot->title,
	        WIDTH + 10, HEIGHT);
	write_axes(out, plot, x_most, y_most);
	fprintf(out, "<path class=line d='M");
	for (unsigned int i = 0; i < plot->count; i++)
		fprintf(out, "%s%.1f %.1f", i ? "L" : "",
		        LEFT + plot->points[i].x / x_most * (WIDTH - LEFT - 20),
		        HEIGHT - BOTTOM -
		                plot->points[i].y / y_most * (HEIGHT - BOTTOM - TOP));
	fprintf(out, "'/>\n</svg>\n");
}

/* How many sessions were there, over time. */
static void plot_sessions(FILE *out, const struct histogram *there)
{
	struct plot plot = { "Sessions", "seconds", "established", .count = POINTS };

	for (unsigned int i = 0; i < POINTS; i++) {
		uint64_t at = there->most / (POINTS - 1) * i;

		plot.points[i].x = (double)at / 1e9;
		plot.points[i].y = (double)(i ? histogram_below(there, at) : 0);
	}
	write_plot(out, &plot);
}

/* How long the quickest so many per cent took, to 99.9 %. */
static void plot_times(FILE *out, const char *title, const struct histogram *times)
{
	struct plot plot = { title, "per cent", "ms", .count = POINTS };

	if (!times->count)
		return;
	for (unsigned int i = 0; i < POINTS; i++) {
		double part = 0.999 * i / (POINTS - 1);

		plot.points[i].x = part * 100;
		plot.points[i].y = (double)histogram_at(times, part) / 1e6;
	}
	write_plot(out, &plot);
}

static void write_row(FILE *out, const char *name, const struct histogram *h)
{
	fprintf(out, "<tr><th>%s<td>%llu", name, (unsigned long long)h->count);
	for (int i = 0; i < 4; i++) {
		static const double part[] = { 0.5, 0.9, 0.99, 0.999 };

		fprintf(out, "<td>%.3f", (double)histogram_at(h, part[i]) / 1e6);
	}
	fprintf(out, "<td>%.3f\n", (double)h->most / 1e6);
}

static void write_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("<>&\"'", *text))
			fprintf(out, "&#%d;", *text);
		else
			fputc(*text, out);
	}
}

static void write_memory(FILE *out, const struct bench_result *r)
{
	double sessions = r->all.established ? (double)r->all.established : 1;

	if (!r->has_memory)
		return;
	fprintf(out,
	        "<p>Server's memory: %.1f MiB of its own and %.1f MiB shared before, "
	        "%.1f "
	        "and %.1f with all sessions at rest: %.2f and %.2f KiB a session.</p>\n",
	        (double)r->before.own / 1048576, (double)r->before.shared / 1048576,
	        (double)r->with.own / 1048576, (double)r->with.shared / 1048576,
	        ((double)r->with.own - (double)r->before.own) / 1024 / sessions,
	        ((double)r->with.shared - (double)r->before.shared) / 1024 / sessions);
}

static void write_page(FILE *out, const struct bench_result *r)
{
	fputs("<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>secure_client "
	      "bench</title>\n<style>body{font:15px "
	      "sans-serif;max-width:720px;margin:2em "
	      "auto}svg{width:100%}text{font-size:11px}table{border-collapse:collapse}td,"
	      "th{padding:.2em .8em;text-align:right;border-bottom:1px solid "
	      "#ccc}.axis{fill:none;stroke:#888}.line{fill:none;stroke:#06c;stroke-width:"
	      "2}</style>\n<h1>secure_client bench</h1>\n<p>",
	      out);
	write_text(out, r->server);
	fprintf(out,
	        ": %llu of %llu sessions from %llu processes established in %.2f s "
	        "(%.0f/s), %llu failed, %llu lost; messages of %llu bytes: %.0f/s.</p>\n",
	        (unsigned long long)r->all.established, (unsigned long long)r->clients,
	        (unsigned long long)r->processes, (double)r->set_up_us / 1e6,
	        r->set_up_us ? (double)r->all.established * 1e6 / (double)r->set_up_us
	                     : 0,
	        (unsigned long long)r->all.failed, (unsigned long long)r->all.lost,
	        (unsigned long long)r->size,
	        r->all.message_us ? (double)r->all.round_trip.count * 1e6 /
	                                    (double)r->all.message_us
	                          : 0);
	write_memory(out, r);
	fputs("<table><tr><th>ms<th>count<th>p50<th>p90<th>p99<th>p99.9<th>most\n", out);
	write_row(out, "set-up", &r->all.set_up);
	write_row(out, "round trip", &r->all.round_trip);
	fputs("</table>\n", out);
	plot_sessions(out, &r->all.there);
	plot_times(out, "Set-up of a session", &r->all.set_up);
	plot_times(out, "Round trip of a message", &r->all.round_trip);
	fputs("</html>\n", out);
}

int bench_write_page(const char *path, const struct bench_result *result)
{
	FILE *out = fopen(path, "we");
	bool failed;

	if (!out)
		return fault_errno(errno, "cannot write '%s'", path);
	write_page(out, result);
	failed = ferror(out);
	if (fclose(out) || failed)
		return fault_errno(errno, "cannot write '%s'", path);
	return 0;
}
