/* SPDX-License-Identifier: BSD-2-Clause */
/* What systemd's journal gets, byte by byte, from a socket in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "program/fault.h"
#include "program/journal.h"

#define PATH "journal"

static int listen_there(void)
{
	const struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = PATH };
	int fd = (int)CHECK_CALL(socket(AF_UNIX, SOCK_DGRAM, 0));

	unlink(PATH);
	CHECK_CALL(bind(fd, (const struct sockaddr *)&at, sizeof(at)));
	return fd;
}

static void test_bytes(void **state)
{
	static const char wanted[] =
	        "MESSAGE=one line\nSRDMA_TEXT\n\3\0\0\0\0\0\0\0a\nb\nPRIORITY=4\n";
	struct journal_entry entry = { .used = 0 };
	struct journal *journal;
	char got[200];
	int fd = listen_there();

	(void)state;
	CHECK_EQ(journal_open(PATH, &journal), 0);
	journal_field(&entry, "MESSAGE", "one line");
	journal_field(&entry, "SRDMA_TEXT", "a\nb");
	journal_field(&entry, "PRIORITY", "4");
	CHECK(journal_send(journal, &entry));
	CHECK_EQ(read(fd, got, sizeof(got)), sizeof(wanted) - 1);
	CHECK_BYTES(got, wanted, sizeof(wanted) - 1);
	journal_free(journal);
	close(fd);
}

/* A journal that was restarted is another socket at the same place. */
static void test_restart(void **state)
{
	struct journal_entry entry = { .used = 0 };
	struct journal *journal;
	char got[200];
	int fd = listen_there();

	(void)state;
	CHECK_EQ(journal_open(PATH, &journal), 0);
	journal_field(&entry, "MESSAGE", "x");
	close(fd);
	CHECK(!journal_send(journal, &entry));
	fd = listen_there();
	CHECK(journal_send(journal, &entry));
	CHECK_EQ(read(fd, got, sizeof(got)), 10);
	journal_free(journal);
	close(fd);
}

static void test_absent(void **state)
{
	struct journal *journal;

	(void)state;
	CHECK(journal_open("nowhere", &journal) < 0);
	CHECK(strstr(fault_text(), "--log-format text"));
}

/* What does not fit is left out, not cut. */
static void test_full(void **state)
{
	static struct journal_entry entry;
	char value[sizeof(entry.bytes)];
	size_t before;

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	journal_field(&entry, "MESSAGE", "fits");
	before = entry.used;
	journal_field(&entry, "LONG", value);
	CHECK_EQ(entry.used, before);
	CHECK(entry.full);
	journal_field(&entry, "PRIORITY", "6");
	CHECK(entry.used > before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
