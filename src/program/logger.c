/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/logger.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "common/platform.h"
#include "program/fault.h"
#include "program/journal.h"

#define LINE_SIZE 1024

static enum srdma_log_level most = SRDMA_LOG_INFO;
static enum log_format log_format;
static struct journal *journal; /* of the process, to its end */

static const struct {
	const char *text;
	const char *json;
	const char *priority; /* of syslog */
} level_names[] = {
	[SRDMA_LOG_ERROR] = { "ERROR", "error", "3" },
	[SRDMA_LOG_WARN] = { "WARN ", "warn", "4" },
	[SRDMA_LOG_INFO] = { "INFO ", "info", "6" },
	[SRDMA_LOG_DEBUG] = { "DEBUG", "debug", "7" },
};

static void format_now(char *out, size_t size)
{
	struct timeval now;
	struct tm utc;
	size_t used;

	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &utc);
	used = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(out + used, size - used, ".%03dZ", (int)(now.tv_usec / 1000));
}

/* Text from peers must not start lines of its own or move the cursor. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void write_text(const struct log_about *about, const char *now, char *line)
{
	char subject[160] = "";

	if (about->session && about->peer)
		snprintf(subject, sizeof(subject),
		         "session#%llu %s: ", (unsigned long long)about->session,
		         about->peer);
	else if (about->session)
		snprintf(subject, sizeof(subject),
		         "session#%llu: ", (unsigned long long)about->session);
	make_printable(subject);
	make_printable(line);
	fprintf(stderr, "%s %s %s%s\n", now, level_names[about->level].text, subject,
	        line);
}

static void write_json(const struct log_about *about, const char *now, const char *line)
{
	struct json json = { 0 };

	json_open(&json, NULL, '{');
	json_string(&json, "time", now);
	json_string(&json, "level", level_names[about->level].json);
	if (about->event)
		json_string(&json, "event", about->event);
	if (about->session)
		json_uint(&json, "session", about->session);
	if (about->peer)
		json_string(&json, "peer", about->peer);
	json_string(&json, "message", line);
	if (about->fields)
		json_members(&json, about->fields);
	json_close(&json, '}');
	if (json_text(&json))
		fprintf(stderr, "%s\n", json_text(&json));
	json_free(&json);
}

/* The journal has times of its own. False: it is not there now. */
static bool write_journal(const struct log_about *about, const char *line)
{
	struct journal_entry entry = { .used = 0 };
	struct json json = { 0 };
	char session[24];

	journal_field(&entry, "MESSAGE", line);
	journal_field(&entry, "PRIORITY", level_names[about->level].priority);
	journal_field(&entry, "SYSLOG_IDENTIFIER", platform_program_name());
	if (about->event)
		journal_field(&entry, "SRDMA_EVENT", about->event);
	snprintf(session, sizeof(session), "%llu", (unsigned long long)about->session);
	if (about->session)
		journal_field(&entry, "SRDMA_SESSION", session);
	if (about->peer)
		journal_field(&entry, "SRDMA_PEER", about->peer);
	if (about->fields) {
		json_open(&json, NULL, '{');
		json_members(&json, about->fields);
		json_close(&json, '}');
		if (json_text(&json))
			journal_field(&entry, "SRDMA_FIELDS", json_text(&json));
		json_free(&json);
	}
	return journal_send(journal, &entry);
}

static void write_line(const struct log_about *about, const char *format, va_list args)
{
	char line[LINE_SIZE], now[40];

	if (about->level > most)
		return;
	vsnprintf(line, sizeof(line), format, args);
	format_now(now, sizeof(now));
	if (log_format == LOG_JSON)
		write_json(about, now, line);
	else if (!journal || !write_journal(about, line))
		write_text(about, now, line);
}

void log_about(const struct log_about *about, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(about, format, args);
	va_end(args);
}

void log_say(enum srdma_log_level level, const char *format, ...)
{
	struct log_about about = { .level = level };
	va_list args;

	va_start(args, format);
	write_line(&about, format, args);
	va_end(args);
}

static void take_library_line(enum srdma_log_level level, const char *line, void *user)
{
	(void)user;
	log_say(level, "%s", line);
}

int logger_start(enum srdma_log_level level, enum log_format format)
{
	most = level;
	log_format = format;
	srdma_log_to(take_library_line, NULL, level);
	if (format != LOG_JOURNAL || journal)
		return 0;
	return journal_open(JOURNAL_SOCKET, &journal);
}
