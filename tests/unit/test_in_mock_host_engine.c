// SPDX-License-Identifier: BSD-2-Clause
/* Timers, inboxes, watches, and copies between processes. */
#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/engine.h"
#include "host/registry.h"
#include "mock_dir.h"
#include "sanitizers.h"

#define MS UINT64_C(1000000)

static int attach(void **state)
{
	(void)state;
	return host_attach();
}

static int detach(void **state)
{
	(void)state;
	host_detach();
	return mock_dir_entries();
}

static int left_behind(void **state)
{
	(void)state;
	return mock_dir_entries();
}

struct alarm {
	struct timer timer;
	uint64_t deadline, fired;
	bool ran_in_engine;
	sem_t done;
};

static void ring(struct timer *timer)
{
	struct alarm *alarm = container_of(timer, struct alarm, timer);

	alarm->fired = now_ns();
	alarm->ran_in_engine = in_engine();
	sem_post(&alarm->done);
}

static void alarm_init(struct alarm *alarm)
{
	timer_init(&alarm->timer, ring);
	sem_init(&alarm->done, 0, 0);
	alarm->fired = 0;
}

static void timers_fire_in_time(void **state)
{
	enum { COUNT = 200 };
	static struct alarm alarm[COUNT];
	uint64_t now = now_ns();

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		alarm_init(&alarm[i]);
		alarm[i].deadline = now + (uint64_t)(i * 7919 % COUNT) * MS / 4;
		assert_int_equal(timer_arm(&alarm[i].timer, alarm[i].deadline), 0);
	}
	for (int i = 0; i < COUNT; i++) {
		sem_wait(&alarm[i].done);
		assert_true(alarm[i].fired >= alarm[i].deadline);
		assert_true(alarm[i].ran_in_engine);
	}
	assert_false(in_engine());
}

static void cancelled_timers_do_not_fire(void **state)
{
	struct alarm never, moved, last;
	uint64_t now = now_ns();

	(void)state;
	alarm_init(&never);
	alarm_init(&moved);
	alarm_init(&last);
	timer_arm(&never.timer, now + 5 * MS);
	timer_arm(&moved.timer, now + 3600 * 1000 * MS);
	timer_arm(&last.timer, now + 20 * MS);
	timer_cancel(&never.timer);
	timer_arm(&moved.timer, now + 10 * MS);
	sem_wait(&moved.done);
	sem_wait(&last.done);
	assert_int_equal(never.fired, 0);
	assert_true(moved.fired >= now + 10 * MS && moved.fired <= last.fired);
	timer_cancel_sync(&never.timer);
	timer_cancel_sync(&moved.timer);
}

struct slow {
	struct timer timer;
	sem_t entered;
	_Atomic bool finished;
};

static void be_slow(struct timer *timer)
{
	struct slow *slow = container_of(timer, struct slow, timer);

	sem_post(&slow->entered);
	usleep(20000);
	slow->finished = true;
	timer_cancel_sync(timer); /* from within: returns */
}

static void cancel_sync_waits(void **state)
{
	struct slow slow = { .finished = false };

	(void)state;
	timer_init(&slow.timer, be_slow);
	sem_init(&slow.entered, 0, 0);
	timer_arm(&slow.timer, 1);
	sem_wait(&slow.entered);
	timer_cancel_sync(&slow.timer);
	assert_true(slow.finished);
}

static sem_t arrived;
static unsigned int next_number, disorder;
static uint32_t sender_slot;

static void take_number(struct peer *from, const void *body, uint32_t length)
{
	unsigned int number;

	if (length != sizeof(number))
		disorder++;
	memcpy(&number, body, sizeof(number));
	if (number != next_number++)
		disorder++;
	sender_slot = from ? from->slot : UINT32_MAX;
	sem_post(&arrived);
}

static void expect_numbers(void)
{
	sem_init(&arrived, 0, 0);
	next_number = disorder = 0;
	inbox_handle(INBOX_CM, take_number);
}

static void post_numbers(struct peer *to, unsigned int count)
{
	for (unsigned int n = 0; n < count; n++) {
		while (inbox_post(to, INBOX_CM, &n, sizeof(n)) == -EAGAIN)
			usleep(100);
	}
}

static void messages_to_oneself_arrive(void **state)
{
	char big[INBOX_BODY_MAX + 1] = { 0 };

	(void)state;
	expect_numbers();
	post_numbers(peer_self(), 5000);
	for (int n = 0; n < 5000; n++)
		sem_wait(&arrived);
	assert_int_equal(disorder, 0);
	assert_int_equal(sender_slot, peer_self()->slot);
	assert_int_equal(inbox_post(peer_self(), INBOX_CM, big, sizeof(big)), -EMSGSIZE);
}

/* Who is where, and an order to go on, between a test and its child. */
struct told {
	uint32_t slot;
	uint64_t generation;
	pid_t pid;
	char *memory;
};

struct child {
	struct told told;
	struct peer *peer;
	int order;
};

static void tell(int fd, char *memory)
{
	struct told told;

	memset(&told, 0, sizeof(told)); /* padding too */
	told.slot = peer_self()->slot;
	told.generation = peer_self()->generation;
	told.pid = getpid();
	told.memory = memory;
	if (write(fd, &told, sizeof(told)) != sizeof(told))
		_exit(1);
}

/*
 * Forks before this process has a second thread, as ThreadSanitizer asks; then both
 * attach, and get to know each other.
 */
static void start(struct child *child,
                  void (*work)(struct peer *parent, int told, int order))
{
	struct told me;
	int told[2], order[2];
	struct peer *parent;

	assert_int_equal(pipe(told), 0);
	assert_int_equal(pipe(order), 0);
	if (fork() == 0) {
		close(order[1]);
		if (read(order[0], &me, sizeof(me)) != sizeof(me) || host_attach() ||
		    peer_get(me.slot, me.generation, &parent))
			_exit(1);
		work(parent, told[1], order[0]);
		peer_put(parent);
		exit(0);
	}
	close(told[1]);
	close(order[0]);
	assert_int_equal(host_attach(), 0);
	child->order = order[1];
	tell(child->order, NULL);
	assert_int_equal(read(told[0], &child->told, sizeof(child->told)),
	                 sizeof(child->told));
	close(told[0]);
	assert_int_equal(peer_get(child->told.slot, child->told.generation, &child->peer),
	                 0);
}

static void finish(struct child *child)
{
	int status;

	close(child->order);
	peer_put(child->peer);
	assert_int_equal(waitpid(child->told.pid, &status, 0), child->told.pid);
	assert_true(status == 0 || WIFSIGNALED(status));
	host_detach();
}

static void wait_for_order(int order)
{
	char byte;

	if (read(order, &byte, 1) > 0)
		return;
}

static void send_numbers(struct peer *parent, int told, int order)
{
	tell(told, NULL);
	post_numbers(parent, 5000);
	wait_for_order(order);
}

static void messages_from_others_arrive(void **state)
{
	struct child child;

	(void)state;
	expect_numbers();
	start(&child, send_numbers);
	for (int n = 0; n < 5000; n++)
		sem_wait(&arrived);
	assert_int_equal(disorder, 0);
	assert_int_equal(sender_slot, child.told.slot);
	finish(&child);
}

#define MEMORY ((size_t)1 << 20)

static void offer_memory(struct peer *parent, int told, int order)
{
	char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)parent;
	for (size_t i = 0; i < MEMORY; i++)
		memory[i] = (char)(i * 31);
	munmap(memory + MEMORY / 2, 4096);
	tell(told, memory);
	wait_for_order(order);
}

static void full_inbox_is_an_error(void **state)
{
	struct child child;
	unsigned int n = 0;
	int posted = 0;

	(void)state;
	start(&child, offer_memory);
	assert_int_equal(kill(child.told.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(child.told.pid, NULL, WUNTRACED), child.told.pid);
	while (inbox_post(child.peer, INBOX_ASYNC, &n, sizeof(n)) == 0)
		posted++;
	assert_true(posted >= INBOX_SLOTS - 1);
	assert_int_equal(inbox_post(child.peer, INBOX_ASYNC, &n, sizeof(n)), -EAGAIN);
	assert_int_equal(kill(child.told.pid, SIGCONT), 0);
	while (inbox_post(child.peer, INBOX_ASYNC, &n, sizeof(n)))
		usleep(1000);
	finish(&child);
}

/* Also while the other process is stopped: it takes no part. */
static void memory_is_copied(void **state)
{
	static char buffer[MEMORY];
	enum { PIECES = 3000 };
	static struct iovec remote[PIECES], local[PIECES / 2];
	struct child child;
	siginfo_t dead;
	char *there;

	(void)state;
	start(&child, offer_memory);
	there = child.told.memory;
	assert_int_equal(kill(child.told.pid, SIGSTOP), 0);

	for (int i = 0; i < PIECES; i++)
		remote[i] = (struct iovec){ there + 100 * i, 50 };
	for (int i = 0; i < PIECES / 2; i++)
		local[i] = (struct iovec){ buffer + 200 * i, 100 };
	assert_int_equal(peer_read(child.peer, remote, PIECES, local, PIECES / 2), 0);
	for (int i = 0; i < PIECES; i++) {
		for (int b = 0; b < 50; b++)
			assert_int_equal(buffer[200 * (i / 2) + 50 * (i % 2) + b],
			                 (char)((100 * i + b) * 31));
	}

	memset(buffer, 'w', 1000);
	remote[0] = (struct iovec){ there + 5, 1000 };
	local[0] = (struct iovec){ buffer, 1000 };
	assert_int_equal(peer_write(child.peer, remote, 1, local, 1), 0);
	memset(buffer, 0, 1000);
	assert_int_equal(peer_read(child.peer, remote, 1, local, 1), 0);
	assert_true(buffer[0] == 'w' && memcmp(buffer, buffer + 1, 999) == 0);

	remote[0] = (struct iovec){ there + MEMORY / 2 - 100, 200 };
	local[0].iov_len = 200;
	assert_int_equal(peer_read(child.peer, remote, 1, local, 1), -EFAULT);
	assert_int_equal(peer_write(child.peer, remote, 1, local, 1), -EFAULT);

	kill(child.told.pid, SIGKILL);
	remote[0].iov_base = there;
	waitid(P_PID, (id_t)child.told.pid, &dead, WEXITED | WNOWAIT);
	assert_int_equal(peer_read(child.peer, remote, 1, local, 1), -ESRCH);
	finish(&child);
}

static void own_memory_is_copied(void **state)
{
	char from[300], to[300];
	struct iovec remote[2] = { { to, 100 }, { to + 100, 200 } };
	struct iovec local[3] = { { from, 7 }, { from + 7, 0 }, { from + 7, 293 } };

	(void)state;
	for (int i = 0; i < 300; i++)
		from[i] = (char)i;
	assert_int_equal(peer_write(peer_self(), remote, 2, local, 3), 0);
	assert_memory_equal(from, to, 300);
	memset(from, 0, 300);
	assert_int_equal(peer_read(peer_self(), remote, 2, local, 3), 0);
	assert_memory_equal(from, to, 300);
}

static sem_t death;

static void lost(struct peer_watch *watch)
{
	assert_true(in_engine());
	assert_false(peer_alive(watch->peer));
	sem_post(&death);
}

static void death_is_told(void **state)
{
	struct peer_watch one, two, gone;
	struct child child;
	int pending;

	(void)state;
	sem_init(&death, 0, 0);
	start(&child, offer_memory);
	peer_watch(&one, child.peer, lost);
	peer_watch(&two, child.peer, lost);
	peer_watch(&gone, child.peer, lost);
	peer_unwatch(&gone);
	kill(child.told.pid, SIGKILL);
	sem_wait(&death);
	sem_wait(&death);
	sem_getvalue(&death, &pending);
	assert_int_equal(pending, 0);
	peer_unwatch(&one);
	peer_unwatch(&two);
	/* Watched when it is dead already: told as well. */
	peer_watch(&one, child.peer, lost);
	sem_wait(&death);
	finish(&child);
}

static void detach_now(struct peer *parent, int told, int order)
{
	tell(told, NULL);
	wait_for_order(order);
	peer_put(parent);
	host_detach();
	if (write(told, "x", 1) != 1)
		_exit(1);
	pause();
}

static void leaving_is_told_as_death(void **state)
{
	struct peer_watch watch;
	struct child child;

	(void)state;
	sem_init(&death, 0, 0);
	start(&child, detach_now);
	peer_watch(&watch, child.peer, lost);
	assert_int_equal(write(child.order, "x", 1), 1);
	sem_wait(&death);
	kill(child.told.pid, SIGKILL);
	finish(&child);
}

enum { LAST_WORDS = 3 };

static void speak_and_die(struct peer *parent, int told, int order)
{
	tell(told, NULL);
	wait_for_order(order);
	post_numbers(parent, LAST_WORDS);
	_exit(0);
}

static void lost_after_last_words(struct peer_watch *watch)
{
	assert_false(peer_alive(watch->peer));
	assert_int_equal(next_number, LAST_WORDS);
	sem_post(&death);
}

struct hold {
	struct timer timer;
	sem_t entered, leave;
};

static void hold_engine(struct timer *timer)
{
	struct hold *hold = container_of(timer, struct hold, timer);

	sem_post(&hold->entered);
	sem_wait(&hold->leave);
}

/* The engine, which was busy, finds both at once. */
static void last_words_come_before_death(void **state)
{
	struct peer_watch watch;
	struct child child;
	struct hold hold;
	siginfo_t dead;

	(void)state;
	sem_init(&death, 0, 0);
	sem_init(&hold.entered, 0, 0);
	sem_init(&hold.leave, 0, 0);
	expect_numbers();
	start(&child, speak_and_die);
	peer_watch(&watch, child.peer, lost_after_last_words);
	timer_init(&hold.timer, hold_engine);
	timer_arm(&hold.timer, 1);
	sem_wait(&hold.entered);
	assert_int_equal(write(child.order, "x", 1), 1);
	waitid(P_PID, (id_t)child.told.pid, &dead, WEXITED | WNOWAIT);
	sem_post(&hold.leave);
	sem_wait(&death);
	timer_cancel_sync(&hold.timer);
	peer_unwatch(&watch);
	finish(&child);
}

/* The program closes everything, ours included: slower, but no spinning, no hang. */
static void closed_descriptors_are_survived(void **state)
{
	int status;

	(void)state;
	if (UNDER_TSAN)
		skip(); /* closing what a thread waits on is what it must report */
	if (fork() == 0) {
		struct alarm alarm;

		if (host_attach())
			_exit(1);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		alarm_init(&alarm);
		/* Wakes the engine that sleeps on what is no more. */
		expect_numbers();
		post_numbers(peer_self(), 1);
		timer_arm(&alarm.timer, now_ns() + 5 * MS);
		exit(0);
	}
	wait(&status);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timers_fire_in_time, attach, detach),
		cmocka_unit_test_setup_teardown(cancelled_timers_do_not_fire, attach,
		                                detach),
		cmocka_unit_test_setup_teardown(cancel_sync_waits, attach, detach),
		cmocka_unit_test_setup_teardown(messages_to_oneself_arrive, attach,
		                                detach),
		cmocka_unit_test_teardown(messages_from_others_arrive, left_behind),
		cmocka_unit_test_teardown(full_inbox_is_an_error, left_behind),
		cmocka_unit_test_teardown(memory_is_copied, left_behind),
		cmocka_unit_test_setup_teardown(own_memory_is_copied, attach, detach),
		cmocka_unit_test_teardown(death_is_told, left_behind),
		cmocka_unit_test_teardown(leaving_is_told_as_death, left_behind),
		cmocka_unit_test_teardown(last_words_come_before_death, left_behind),
		cmocka_unit_test(closed_descriptors_are_survived),
	};
	int failed;

	mock_dir_make();
	setenv("MOCKRDMA_LOG", "none", 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
