/* SPDX-License-Identifier: BSD-2-Clause */
/* Getting, going on with what broke, and the end of a session in the middle of it: a
 * client by messages alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/served.h"
#include "program/fault.h"
#include "program/region.h"

/*
 * GET
 */

static void make_old(void)
{
	int file = (int)CHECK_CALL(creat("share/old", 0666));

	CHECK_CALL(ftruncate(file, 100000));
	close(file);
}

static void begin_get(struct srdma_session *session)
{
	struct app_message get = { .type = APP_GET, .id = 1, .path = { "data/old", 8 } };
	struct app_message found;

	say(session, &get);
	found = hear(session);
	CHECK_EQ(found.type, APP_FOUND);
	CHECK_EQ(found.found.size, 100000);
}

static void test_get(void **state)
{
#define READY                                                                         \
	{                                                                             \
		.type = APP_READY, .id = 1, .ready = {.slot_size = 4096, .slots = 4 } \
	}
	static const struct {
		struct app_message first, second;
		enum fault fails; /* 0: it is cut */
	} rows[] = {
		{ { .type = APP_READY,
		    .id = 1,
		    .ready = { .slot_size = REGION_SLOT_SIZE * 2, .slots = 1 } },
		  { 0 },
		  FAULT_PROTOCOL },
		{ { .type = APP_READY,
		    .id = 1,
		    .ready = { .slot_size = 4096, .slots = 65535 } },
		  { 0 },
		  FAULT_PROTOCOL },
		{ { .type = APP_READY, .id = 1, .ready = { .slot_size = 0, .slots = 5 } },
		  { 0 },
		  FAULT_PROTOCOL },
		{ { .type = APP_READY, .id = 1, .ready = { .slot_size = 0, .slots = 0 } },
		  { 0 },
		  0 },
		{ READY, READY, 0 },
		{ READY, { .type = APP_TAKEN, .id = 1, .taken = 0 }, 0 },
		{ READY, { .type = APP_DONE, .id = 1 }, 0 },
		{ READY, { .type = APP_CHUNK, .id = 1, .chunk = { 0, 1 } }, 0 },
		{ { .type = APP_END, .id = 1 }, { 0 }, 0 },
	};
#undef READY

	(void)state;
	make_old();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct srdma_session *session = dial();

		begin_get(session);
		say(session, &rows[i].first);
		if (rows[i].second.type)
			say(session, &rows[i].second);
		if (rows[i].fails) {
			expect_fail(session, 1, rows[i].fails);
			srdma_session_free(session);
		} else {
			expect_cut(session);
		}
	}
	CHECK_CALL(unlink("share/old"));
	check_served();
}

/* A region that does not suit: too small, or not to be written. */
static void test_get_into_nothing(void **state)
{
	static char memory[16384];
	static const struct {
		size_t length;
		unsigned rights;
	} rows[] = { { 16383, SRDMA_RIGHT_WRITE }, { 16384, SRDMA_RIGHT_READ } };
	struct app_message ready = { .type = APP_READY,
		                     .id = 1,
		                     .ready = { .slot_size = 4096, .slots = 4 } };

	(void)state;
	make_old();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct srdma_session *session = dial();
		struct srdma_buffer *buffer;
		struct srdma_grant *grant;

		begin_get(session);
		CHECK_EQ(srdma_buffer_register(session, memory, sizeof(memory), &buffer),
		         0);
		CHECK_EQ(srdma_grant(session, buffer, 0, rows[i].length, rows[i].rights,
		                     APP_TAG_TRANSFER(1), &grant),
		         0);
		say(session, &ready);
		expect_fail(session, 1, FAULT_PROTOCOL);
		srdma_session_free(session);
	}
	CHECK_CALL(unlink("share/old"));
	check_served();
}

/*
 * The end
 */

static int to_file(const char *name)
{
	int before = (int)CHECK_CALL(dup(STDERR_FILENO));
	int file = (int)CHECK_CALL(creat(name, 0666));

	CHECK_CALL(dup2(file, STDERR_FILENO));
	close(file);
	return before;
}

static bool file_has(const char *name, const char *text)
{
	static char content[4096];
	FILE *file = CHECK_OBJECT(fopen(name, "r"));
	size_t length = fread(content, 1, sizeof(content) - 1, file);

	fclose(file);
	content[length] = '\0';
	return strstr(content, text);
}

static void wait_for_line(const char *name, const char *text)
{
	for (int i = 0; i < PATIENCE && !file_has(name, text); i++)
		usleep(1000);
}

/* The server cannot answer, and so does not look at what comes; then there is no more.
 * Why the client gives the file up is among it. */
static void test_last_words(void **state)
{
	struct app_message ping = { .type = APP_PING, .id = 2 };
	struct app_message why = { .type = APP_FAIL,
		                   .id = 1,
		                   .fail = { FAULT_NO_SPACE, { "no room here", 12 } } };
	struct srdma_session *session = dial();
	int before;

	(void)state;
	make_old();
	begin_get(session);
	for (unsigned int i = 0; i < 20; i++) /* its credits are 16 */
		say(session, &ping);
	before = to_file("log");
	say(session, &why);
	CHECK_EQ(srdma_close_wait(session, PATIENCE), 0);
	srdma_session_free(session);
	wait_for_line("log", "not sent: ");
	CHECK_CALL(dup2(before, STDERR_FILENO));
	close(before);
	CHECK(file_has("log", "'data/old' not sent: no room here"));
	CHECK_CALL(unlink("share/old"));
}

/*
 * Resuming
 */

static char whole[8192];

/* A put by that token, of 8192 bytes; what the server answers. */
static struct app_message begin_resumable(struct srdma_session *session,
                                          const char *token)
{
	struct app_message put = { .type = APP_PUT, .id = 1 };

	put.put.size = 8192;
	put.put.flags = APP_PUT_RESUMABLE;
	put.put.path = (struct app_bytes){ "data/again", 10 };
	memcpy(put.put.token, token, APP_TOKEN);
	say(session, &put);
	return hear(session);
}

/* Into the region that was granted, and until it is stored. */
static void store_chunk(struct srdma_session *session, uint64_t index, const void *data,
                        uint32_t length)
{
	struct srdma_remote *remote;
	struct srdma_buffer *source;
	struct app_message taken;
	void *copy = CHECK_OBJECT(malloc(length));

	memcpy(copy, data, length);
	CHECK_EQ(srdma_buffer_register(session, copy, length, &source), 0);
	CHECK_EQ(srdma_remote_wait(session, APP_TAG_TRANSFER(1), PATIENCE, &remote), 0);
	CHECK_EQ(srdma_write_wait(session, source, 0, remote, 0, length, PATIENCE), 0);
	say_chunk(session, 1, index, length);
	taken = hear(session);
	CHECK_EQ(taken.type, APP_TAKEN);
	CHECK_EQ(srdma_buffer_unregister(source), 0);
	free(copy);
}

static void wait_until_parked(unsigned count)
{
	bool is_so = false;

	for (int i = 0; !is_so && i < PATIENCE; i++) {
		pthread_mutex_lock(&server.parking.lock);
		is_so = server.parking.count == count;
		pthread_mutex_unlock(&server.parking.lock);
		usleep(1000);
	}
	CHECK(is_so);
}

static struct app_message end_put(struct srdma_session *session)
{
	struct app_message end = { .type = APP_END,
		                   .id = 1,
		                   .end.length = sizeof(whole) };

	CHECK_EQ(sha256_of(whole, sizeof(whole), end.end.sha256), 0);
	say(session, &end);
	return hear(session);
}

static void expect_resume(const struct app_message *message, uint64_t offset)
{
	uint8_t digest[SHA256_BYTES];

	CHECK_EQ(message->type, APP_RESUME);
	CHECK_EQ(message->ready.offset, offset);
	CHECK_EQ(sha256_of(whole, offset, digest), 0);
	CHECK_EQ(memcmp(digest, message->ready.sha256, SHA256_BYTES), 0);
}

/* A session that breaks leaves a beginning, which has no name, to its own token alone. */
static void test_resume(void **state)
{
	struct srdma_session *session = dial();
	char again[sizeof(whole)];
	struct app_message answer;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(whole); i++)
		whole[i] = (char)(i * 7);
	CHECK_EQ(begin_resumable(session, "0123456789abcdef").type, APP_READY);
	store_chunk(session, 0, whole, 4096);
	srdma_session_free(session);
	wait_until_parked(1);
	CHECK_EQ(files_shared(), 0);

	session = dial();
	CHECK_EQ(begin_resumable(session, "another token...").type, APP_READY);
	srdma_session_free(session);

	session = dial();
	answer = begin_resumable(session, "0123456789abcdef");
	expect_resume(&answer, 4096);
	store_chunk(session, 0, whole + 4096, 4096);
	CHECK_EQ(end_put(session).type, APP_DONE);
	srdma_session_free(session);
	fd = (int)CHECK_CALL(open("share/again", O_RDONLY));
	CHECK_EQ(read(fd, again, sizeof(again)), sizeof(again));
	CHECK_EQ(memcmp(again, whole, sizeof(whole)), 0);
	close(fd);
}

/* Who did not hear that it is stored is told so, and others that it exists. */
static void test_resume_after_the_end(void **state)
{
	struct srdma_session *session = dial();
	struct app_message answer = begin_resumable(session, "0123456789abcdef");

	(void)state;
	expect_resume(&answer, sizeof(whole));
	CHECK_EQ(end_put(session).type, APP_DONE);
	CHECK_EQ(srdma_close_wait(session, PATIENCE), 0);
	srdma_session_free(session);

	session = dial();
	answer = begin_resumable(session, "another token..!");
	CHECK_EQ(answer.type, APP_FAIL);
	CHECK_EQ(answer.fail.fault, FAULT_EXISTS);
	srdma_session_free(session);
	CHECK_CALL(unlink("share/again"));
	check_served();
}

/* A transfer that failed leaves nothing to go on with. */
static void test_no_resume_after_failure(void **state)
{
	struct app_message cancel = { .type = APP_FAIL,
		                      .id = 1,
		                      .fail = { FAULT_CANCELLED, { "no", 2 } } };
	struct srdma_session *session = dial();

	(void)state;
	CHECK_EQ(begin_resumable(session, "a third token...").type, APP_READY);
	store_chunk(session, 0, whole, 4096);
	say(session, &cancel);
	CHECK_EQ(srdma_close_wait(session, PATIENCE), 0);
	srdma_session_free(session);

	session = dial();
	CHECK_EQ(begin_resumable(session, "a third token...").type, APP_READY);
	srdma_session_free(session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_get_into_nothing),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_resume_after_the_end),
		cmocka_unit_test(test_no_resume_after_failure),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
