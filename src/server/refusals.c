/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/refusals.h"

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "program/fault.h"
#include "program/logger.h"

#define SYSFS       "/sys/class/infiniband"
#define DEVICES     16
#define NAME        64
#define LINE_US     UINT64_C(10000000) /* at most one line in that time */
#define LIKE_LOSSES 10000              /* a second: no network loses so many */

/* What a lossy network never makes, and from how many a second what it does. */
static const struct {
	const char *name;
	uint64_t least;
} kinds[] = {
	{ "drop_address", 1 }, /* from another address than the peer's */
	{ "drop_old_psn", 1 }, /* a PSN that never was */
	{ "drop_guess", 1 },   /* so many of those that more are ignored */
	{ "drop_answer_guess", 1 },
	{ "drop_plain", 1 },                /* in clear, where packets are protected */
	{ "drop_tag", 1 },                  /* … by other keys, or altered */
	{ "nak_remote_access", 1 },         /* a key or range that is not granted */
	{ "drop_access", 1 },               /* the same, unanswered */
	{ "resp_remote_access_errors", 1 }, /* mlx5 */
	{ "drop_unknown_qp", LIKE_LOSSES },
	{ "drop_gap", LIKE_LOSSES },
	{ "out_of_seq_request", LIKE_LOSSES },
	{ "out_of_sequence", LIKE_LOSSES }, /* mlx5 */
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

struct count {
	bool known;     /* the device has it */
	uint64_t last;  /* as it stood */
	uint64_t total; /* since we watch */
	uint64_t told;  /* of it, in the log */
};

struct device {
	char name[NAME];
	uint64_t line_at; /* clock_us() of the last line; 0: none */
	bool is_attacked; /* since then: a line is due */
	struct count counts[KINDS];
};

struct refusals {
	struct event *timer;
	unsigned device_count;
	struct device devices[DEVICES];
};

/* They are read by way of it: a device made of software adds all up anew for each path
 * below it that is opened. Below 0: the device has none. */
static int open_counters(const struct device *device)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), SYSFS "/%s/ports/1/hw_counters", device->name);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool read_count(int directory, int kind, uint64_t *value)
{
	char text[32], *end;
	int fd = openat(directory, kinds[kind].name, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	*value = strtoull(text, &end, 10);
	return end != text;
}

static void say(struct device *device)
{
	char list[256] = "";
	struct json fields = { 0 };
	const struct log_about about = { .level = SRDMA_LOG_WARN,
		                         .event = "packets_refused",
		                         .fields = &fields };

	json_string(&fields, "device", device->name);
	for (int i = 0; i < KINDS; i++) {
		struct count *count = &device->counts[i];
		size_t used = strlen(list);

		if (count->total == count->told)
			continue;
		snprintf(list + used, sizeof(list) - used, "%s%s %" PRIu64,
		         used ? ", " : "", kinds[i].name, count->total - count->told);
		json_uint(&fields, kinds[i].name, count->total - count->told);
		count->told = count->total;
	}
	log_about(&about,
	          "device %s refused packets (%s): somebody forges or guesses them, or a "
	          "program errs",
	          device->name, list);
	json_free(&fields);
}

/* Whether more came than without anybody's doing. */
static bool look_at(struct count *count, uint64_t value, uint64_t least)
{
	uint64_t more = value > count->last ? value - count->last : 0;

	count->last = value;
	count->total += more;
	return more >= least;
}

static void read_counts(struct device *device)
{
	int directory = open_counters(device);
	uint64_t value;

	if (directory < 0)
		return;
	for (int i = 0; i < KINDS; i++) {
		struct count *count = &device->counts[i];

		if (count->known && read_count(directory, i, &value))
			device->is_attacked |= look_at(count, value, kinds[i].least);
	}
	close(directory);
}

/* What comes while a line may not be said yet is told with the next. */
static void look(struct device *device)
{
	uint64_t now = clock_us();

	read_counts(device);
	if (!device->is_attacked || (device->line_at && now - device->line_at < LINE_US))
		return;
	device->is_attacked = false;
	device->line_at = now;
	say(device);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct refusals *refusals = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < refusals->device_count; i++)
		look(&refusals->devices[i]);
}

static void add_device(struct refusals *refusals, const char *name)
{
	struct device *device = &refusals->devices[refusals->device_count];
	int directory;

	if (*name == '.' || strlen(name) >= NAME || refusals->device_count == DEVICES)
		return;
	memcpy(device->name, name, strlen(name) + 1);
	directory = open_counters(device);
	for (int i = 0; directory >= 0 && i < KINDS; i++)
		device->counts[i].known =
		        read_count(directory, i, &device->counts[i].last);
	if (directory >= 0)
		close(directory);
	refusals->device_count++;
}

static void find_devices(struct refusals *refusals)
{
	DIR *directory = opendir(SYSFS);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		add_device(refusals, entry->d_name);
	if (directory)
		closedir(directory);
}

int refusals_watch(struct event_base *base, struct refusals **out)
{
	const struct timeval second = { .tv_sec = 1 };
	struct refusals *refusals = calloc(1, sizeof(*refusals));

	if (!refusals)
		return fault(FAULT_MEMORY, "out of memory");
	find_devices(refusals);
	refusals->timer = event_new(base, -1, EV_PERSIST, on_timer, refusals);
	if (!refusals->timer || event_add(refusals->timer, &second) < 0) {
		refusals_free(refusals);
		return fault(FAULT_SYSTEM, "libevent cannot make a timer");
	}
	*out = refusals;
	return 0;
}

void refusals_free(struct refusals *refusals)
{
	if (refusals && refusals->timer)
		event_free(refusals->timer);
	free(refusals);
}

void refusals_print(const struct refusals *refusals, const char *name, FILE *out)
{
	for (unsigned i = 0; i < refusals->device_count; i++)
		for (int k = 0; k < KINDS; k++)
			if (refusals->devices[i].counts[k].known)
				fprintf(out,
				        "%s{counter=\"%s\",device=\"%s\"} %" PRIu64 "\n",
				        name, kinds[k].name, refusals->devices[i].name,
				        refusals->devices[i].counts[k].total);
}
