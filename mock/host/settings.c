// SPDX-License-Identifier: BSD-2-Clause
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "host/settings.h"

static struct settings current;

/* A reader takes the text and the entry, and stores the value if the text is good. */
struct entry {
	struct setting public;
	bool (*read)(const struct entry *entry, const char *text);
	void *value;
	uint64_t min, max;
};

static bool read_path(const struct entry *entry, const char *text)
{
	char *copy;

	if (text[0] != '/')
		return false;
	copy = strdup(text); /* the program may change its environment */
	if (copy)
		*(char **)entry->value = copy;
	return copy != NULL;
}

static bool read_text(const struct entry *entry, const char *text)
{
	char *copy = strdup(text);

	if (copy)
		*(char **)entry->value = copy;
	return copy != NULL;
}

/* A decimal number with a suffix K, M, G or T of powers of 1024, or none. */
static bool read_number(const struct entry *entry, const char *text)
{
	static const char suffixes[] = "KMGT";
	unsigned int shift = 0;
	const char *suffix;
	uint64_t number;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		end++;
	}
	if (errno || *end || number > UINT64_MAX >> shift)
		return false;
	number <<= shift;
	if (number < entry->min || number > entry->max)
		return false;
	*(uint64_t *)entry->value = number;
	return true;
}

/*
 * A decimal number, with a fraction or without, in units of which it counts `unit` to
 * one; at most `most` of these. What follows it, or NULL.
 */
static const char *read_fraction(const char *text, uint64_t unit, uint64_t most,
                                 uint64_t *value)
{
	uint64_t sum = 0, digit = unit;

	if (!isdigit((unsigned char)*text))
		return NULL;
	for (; isdigit((unsigned char)*text); text++) {
		sum = sum * 10 + unit * (uint64_t)(*text - '0');
		if (sum > most)
			return NULL;
	}
	if (*text == '.')
		for (text++; isdigit((unsigned char)*text); text++) {
			digit /= 10;
			sum += digit * (uint64_t)(*text - '0');
		}
	*value = sum;
	return sum > most ? NULL : text;
}

/* Of a hundred, kept as of a million. */
static bool read_percent(const struct entry *entry, const char *text)
{
	uint64_t value;
	const char *end = read_fraction(text, 10000, entry->max, &value);

	if (!end || *end)
		return false;
	*(uint64_t *)entry->value = value;
	return true;
}

/* With its unit; kept as nanoseconds. */
static bool read_time(const struct entry *entry, const char *text)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
	const char *end;
	uint64_t value;

	for (unsigned int i = 0; i < ARRAY_SIZE(units); i++) {
		end = read_fraction(text, units[i].ns, entry->max, &value);
		if (!end || (strcmp(end, units[i].name) && (*end || value)))
			continue;
		*(uint64_t *)entry->value = value;
		return true;
	}
	return false;
}

static bool read_level(const struct entry *entry, const char *text)
{
	static const char *const names[] = {
		[MOCK_LOG_NONE] = "none",   [MOCK_LOG_ERROR] = "error",
		[MOCK_LOG_WARN] = "warn",   [MOCK_LOG_INFO] = "info",
		[MOCK_LOG_DEBUG] = "debug",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*(uint64_t *)entry->value = i;
			return true;
		}
	}
	return false;
}

static bool read_link(const struct entry *entry, const char *text)
{
	bool roce = strcmp(text, "roce") == 0;

	if (!roce && strcmp(text, "auto") != 0)
		return false;
	*(uint64_t *)entry->value = roce;
	return true;
}

static bool is_word(const char *text, size_t length, size_t room)
{
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("_-.:", text[i]))
			return false;
	return length && length < room && text[0] != '.';
}

/* One device, NAME or NAME=INTERFACE, of that many characters. */
static bool read_device(struct device_setting *device, const char *text, size_t length)
{
	const char *equals = memchr(text, '=', length);
	size_t name = equals ? (size_t)(equals - text) : length;
	size_t netdev = equals ? length - name - 1 : 0;

	*device = (struct device_setting){ 0 };
	if (!is_word(text, name, sizeof(device->name)))
		return false;
	memcpy(device->name, text, name);
	if (!equals)
		return true;
	if (!is_word(equals + 1, netdev, sizeof(device->netdev)))
		return false;
	memcpy(device->netdev, equals + 1, netdev);
	return true;
}

static bool has_name_twice(const struct device_setting *list, unsigned int count)
{
	for (unsigned int i = 0; i + 1 < count; i++)
		if (strcmp(list[i].name, list[count - 1].name) == 0)
			return true;
	return false;
}

/* NAME[=INTERFACE], with commas between. */
static bool read_devices(const struct entry *entry, const char *text)
{
	struct device_setting list[DEVICES_MAX];
	unsigned int count = 0;

	do {
		size_t length = strcspn(text, ",");

		if (count == DEVICES_MAX || !read_device(&list[count], text, length) ||
		    has_name_twice(list, ++count))
			return false;
		text += length;
	} while (*text++);
	memcpy(entry->value, list, count * sizeof(*list));
	current.devices = count;
	return true;
}

#define LIMIT(variable, member, default_text, most, most_text, what)                   \
	{                                                                              \
		.public = { variable, "1 to " most_text, default_text, "most " what }, \
		.read = read_number, .value = &current.member, .min = 1, .max = most,  \
	}

#define ODDS(variable, member, what)                                            \
	{                                                                       \
		.public = { variable, "percent, 0 to 100, as in 0.5", "0",      \
			    "packets to other hosts that " what },              \
		.read = read_percent, .value = &current.member, .max = 1000000, \
	}

static const struct entry table[] = {
	{
	        .public = { "MOCKRDMA_DIR", "an absolute path", NULL,
	                    "directory where the processes of this host meet; by default "
	                    "one per user and network namespace below /dev/shm" },
	        .read = read_path,
	        .value = &current.dir,
	},
	{
	        .public = { "MOCKRDMA_SEGMENT", "bytes, 1M to 4T, suffix K, M, G or T",
	                    "16G",
	                    "most memory that one process may share with others for its "
	                    "queues" },
	        .read = read_number,
	        .value = &current.segment_size,
	        .min = UINT64_C(1) << 20,
	        .max = UINT64_C(1) << 42,
	},
	{
	        .public = { "MOCKRDMA_DM", "bytes, 0 to 1T, suffix K, M, G or T", "256M",
	                    "most device memory (ibv_alloc_dm) that one process may "
	                    "have; "
	                    "0: the device has none" },
	        .read = read_number,
	        .value = &current.device_memory,
	        .max = UINT64_C(1) << 40,
	},
	{
	        .public = { "MOCKRDMA_DEVICES", "NAME[=INTERFACE], up to 8, with commas",
	                    "mock0",
	                    "the devices that programs find; one with an interface has "
	                    "its addresses only, others those of all" },
	        .read = read_devices,
	        .value = current.device,
	},
	LIMIT("MOCKRDMA_MAX_QP", max_qp, "1M", 1048576, "1M", "queue pairs"),
	LIMIT("MOCKRDMA_MAX_QP_WR", max_qp_wr, "32K", 1048576, "1M",
	      "work requests of a queue pair, in either direction"),
	LIMIT("MOCKRDMA_MAX_CQ", max_cq, "1M", 1048576, "1M", "completion queues"),
	LIMIT("MOCKRDMA_MAX_CQE", max_cqe, "4M", 67108864, "64M",
	      "completions in a completion queue"),
	LIMIT("MOCKRDMA_MAX_SRQ", max_srq, "1M", 1048576, "1M", "shared receive queues"),
	LIMIT("MOCKRDMA_MAX_SRQ_WR", max_srq_wr, "32K", 1048576, "1M",
	      "work requests of a shared receive queue"),
	LIMIT("MOCKRDMA_MAX_MR", max_mr, "16320K", 16711680, "16320K", "memory regions"),
	LIMIT("MOCKRDMA_MAX_PD", max_pd, "1M", 1048576, "1M", "protection domains"),
	{
	        .public = { "MOCKRDMA_MAX_MW", "0 to 1M, suffix K or M", "1M",
	                    "memory windows, of the keys that there may be of regions; "
	                    "0: the device has none" },
	        .read = read_number,
	        .value = &current.max_mw,
	        .max = 1048576,
	},
	LIMIT("MOCKRDMA_MAX_AH", max_ah, "16M", 16777216, "16M", "address handles"),
	LIMIT("MOCKRDMA_MAX_SGE", max_sge, "30", 30, "30",
	      "pieces of memory of a work request"),
	LIMIT("MOCKRDMA_MAX_INLINE", max_inline, "1K", 1024, "1K",
	      "bytes of inline data"),
	LIMIT("MOCKRDMA_MAX_RD_ATOMIC", max_rd_atomic, "128", 128, "128",
	      "READs and atomics of a queue pair under way, in either direction"),
	LIMIT("MOCKRDMA_MAX_MSG", max_msg, "1G", 1073741824, "1G", "bytes of a message"),
	{
	        .public = { "MOCKRDMA_LINK", "auto or roce", "auto",
	                    "how packets reach a peer on this host: through shared "
	                    "memory, or as to another host, over UDP" },
	        .read = read_link,
	        .value = &current.packets_only,
	},
	{
	        .public = { "MOCKRDMA_LOG", "none, error, warn, info or debug", "error",
	                    "what is said on standard error" },
	        .read = read_level,
	        .value = &current.log_level,
	},
	{
	        .public = { "MOCKRDMA_CM_TIMEOUT", "milliseconds, 1 to 3600000", "4295",
	                    "how long the connection manager waits for an answer before "
	                    "it sends again" },
	        .read = read_number,
	        .value = &current.cm_response_timeout_ms,
	        .min = 1,
	        .max = 3600000,
	},
	{
	        .public = { "MOCKRDMA_CM_RETRIES", "0 to 15", "15",
	                    "how often the connection manager sends again before it "
	                    "gives up" },
	        .read = read_number,
	        .value = &current.cm_retries,
	        .min = 0,
	        .max = 15,
	},
	{
	        .public = { "MOCKRDMA_PCAP", "a file name; %p in it is the process id",
	                    NULL,
	                    "file to which every packet is added, as Wireshark reads "
	                    "it" },
	        .read = read_text,
	        .value = &current.pcap,
	},
	ODDS("MOCKRDMA_LOSS", loss, "are lost"),
	ODDS("MOCKRDMA_DUPLICATE", duplicate, "are sent twice"),
	ODDS("MOCKRDMA_REORDER", reorder, "one to three later ones overtake"),
	ODDS("MOCKRDMA_CORRUPT", corrupt, "have a wrong bit"),
	{
	        .public = { "MOCKRDMA_DELAY", "a time up to 10s, as in 200us or 1.5ms",
	                    "0", "how much longer packets to other hosts are under way" },
	        .read = read_time,
	        .value = &current.delay_ns,
	        .max = UINT64_C(10000000000),
	},
	{
	        .public = { "MOCKRDMA_SEED", "a number; 0: another each time", "0",
	                    "what is lost, sent twice and so on depends on, and happens "
	                    "again" },
	        .read = read_number,
	        .value = &current.seed,
	        .max = UINT64_MAX,
	},
};

static void read_entry(const struct entry *entry)
{
	const char *text = getenv(entry->public.name);

	if (entry->public.initial)
		entry->read(entry, entry->public.initial);
	if (!text || !*text || entry->read(entry, text))
		return;
	mock_error("%s=%s is not understood and ignored: it takes %s", entry->public.name,
	           text, entry->public.value);
}

static void read_all(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++)
		read_entry(&table[i]);
	mock_log_level = (enum mock_log_level)current.log_level;
}

const struct settings *settings(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_all);
	return &current;
}

const struct setting *setting_at(unsigned int index)
{
	return index < ARRAY_SIZE(table) ? &table[index].public : NULL;
}
