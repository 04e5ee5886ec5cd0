/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits: what their texts may be, and that nobody takes more, one client or all. */
#include <openssl/pem.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/pki.h"
#include "program/fault.h"
#include "server/account.h"
#include "session/identity.h"

static struct accounts accounts;
static struct srdma_identity *first, *second;

static struct srdma_identity *identity(const char *name)
{
	FILE *file = CHECK_OBJECT(fopen(pki_path(name, ".pem"), "r"));
	X509 *certificate = CHECK_OBJECT(PEM_read_X509(file, NULL, NULL, NULL));
	struct srdma_identity *made;

	fclose(file);
	CHECK_EQ(identity_new(certificate, &made), 0);
	X509_free(certificate);
	return made;
}

static int set_up(void **state)
{
	(void)state;
	pki_open();
	first = identity("client");
	second = identity("server");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	identity_free(first);
	identity_free(second);
	pki_close();
	return 0;
}

static void test_texts(void **state)
{
	static const char *const bad[] = {
		"",           "sessions",     "sessions=",      "sessions=0",
		"sessions=x", "sessions=-1",  "session=1",      "sessions=1,",
		",",          "sessions=1;2", "memory=1Q",      "sessions=1,files",
		"=1",         "files==1",     "messages=1 000", "sessions =1",
	};
	struct limits limits = { { 7, 7, 7, 7 } };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (limits_parse(bad[i], &limits) != -FAULT_USAGE)
			check_failed(__FILE__, __LINE__, "'%s' is taken", bad[i]);
	CHECK_EQ(limits.value[LIMIT_SESSIONS], 7);
	CHECK_EQ(limits_parse("memory=64M,sessions=4", &limits), 0);
	CHECK_EQ(limits.value[LIMIT_MEMORY], 64 << 20);
	CHECK_EQ(limits.value[LIMIT_SESSIONS], 4);
	CHECK_EQ(limits.value[LIMIT_FILES], 0);
}

/* Over all sessions of a client, and not those of another. */
static void test_sessions(void **state)
{
	struct limits limits = { { [LIMIT_SESSIONS] = 2 } };
	struct account *a, *b, *c, *other;

	(void)state;
	accounts_init(&accounts, 0, 0, UINT64_MAX);
	CHECK_EQ(account_join(&accounts, first, &limits, &a), 0);
	CHECK_EQ(account_join(&accounts, first, &limits, &b), 0);
	assert_ptr_equal(a, b);
	CHECK_EQ(account_join(&accounts, first, &limits, &c), -FAULT_BUSY);
	assert_non_null(
	        strstr(fault_text(), "'spiffe://test/client' has its 2 sessions"));
	CHECK_EQ(account_join(&accounts, second, &limits, &other), 0);
	assert_ptr_not_equal(a, other);
	account_leave(&accounts, a);
	CHECK_EQ(account_join(&accounts, first, &limits, &c), 0);
	account_leave(&accounts, b);
	account_leave(&accounts, c);
	account_leave(&accounts, other);
	accounts_clear(&accounts);
}

static void test_memory(void **state)
{
	struct limits limits = { { [LIMIT_MEMORY] = 100 } };
	struct account *a, *b;

	(void)state;
	accounts_init(&accounts, 0, 0, 150);
	CHECK_EQ(account_join(&accounts, first, &limits, &a), 0);
	CHECK_EQ(account_join(&accounts, second, &limits, &b), 0);
	CHECK(budget_take(&a->memory, 100));
	CHECK(!budget_take(&a->memory, 1));
	CHECK(!budget_take(&b->memory, 51));
	CHECK(budget_take(&b->memory, 50));
	CHECK_EQ(accounts.memory.used, 150);
	limits.value[LIMIT_MEMORY] = 60;
	account_set_limits(a, &limits);
	CHECK(!budget_take(&a->memory, 1));
	/* What a job still has when its session is gone. */
	account_leave(&accounts, a);
	budget_return(&a->memory, 100);
	budget_return(&b->memory, 50);
	CHECK_EQ(accounts.memory.used, 0);
	account_leave(&accounts, b);
	accounts_clear(&accounts);
}

static void test_files(void **state)
{
	struct limits limits = { { [LIMIT_FILES] = 2 } };
	struct account *a, *b;

	(void)state;
	accounts_init(&accounts, 3, 0, UINT64_MAX);
	CHECK_EQ(account_join(&accounts, first, &limits, &a), 0);
	CHECK_EQ(account_join(&accounts, second, &limits, &b), 0);
	CHECK_EQ(account_take_file(&accounts, a), 0);
	CHECK_EQ(account_take_file(&accounts, a), 0);
	CHECK_EQ(account_take_file(&accounts, a), -FAULT_BUSY);
	assert_non_null(strstr(fault_text(), "as many files open as it may, 2"));
	CHECK_EQ(account_take_file(&accounts, b), 0);
	CHECK_EQ(account_take_file(&accounts, b), -FAULT_BUSY);
	assert_non_null(strstr(fault_text(), "the server has as many files open"));
	account_return_file(&accounts, a);
	CHECK_EQ(account_take_file(&accounts, b), 0);
	account_return_file(&accounts, a);
	account_return_file(&accounts, b);
	account_return_file(&accounts, b);
	account_leave(&accounts, a);
	account_leave(&accounts, b);
	accounts_clear(&accounts);
}

/* A burst of a second's worth passes; however slow this machine is, more does not at
 * once. */
static void test_messages(void **state)
{
	struct limits limits = { { [LIMIT_MESSAGES] = 1 } };
	struct account *a, *b;
	unsigned passed = 0;

	(void)state;
	accounts_init(&accounts, 0, 0, UINT64_MAX);
	CHECK_EQ(account_join(&accounts, first, &limits, &a), 0);
	CHECK_EQ(account_join(&accounts, second, &(struct limits){ 0 }, &b), 0);
	CHECK_EQ(account_count_message(&accounts, a), 0);
	while (passed < 1000000 && account_count_message(&accounts, a) == 0)
		passed++;
	CHECK(passed < 1000000);
	assert_non_null(strstr(fault_text(), "more than its 1 messages a second"));
	for (unsigned i = 0; i < 1000; i++)
		CHECK_EQ(account_count_message(&accounts, b), 0);
	account_leave(&accounts, a);
	account_leave(&accounts, b);
	accounts_clear(&accounts);
}

#define ROUNDS 2000

static void *come_and_go(void *arg)
{
	const struct limits limits = { { [LIMIT_SESSIONS] = 3, [LIMIT_MEMORY] = 10 } };

	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct account *account;

		if (account_join(&accounts, i & 1 ? first : second, &limits, &account))
			continue;
		if (budget_take(&account->memory, 6)) {
			if (atomic_load(&account->memory.used) > 10)
				return arg;
			budget_return(&account->memory, 6);
		}
		account_leave(&accounts, account);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];
	int wrong = 0;

	(void)state;
	accounts_init(&accounts, 0, 0, 1000);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, come_and_go, &accounts), 0);
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		wrong += result != NULL;
	}
	CHECK_EQ(wrong, 0);
	CHECK_EQ(accounts.memory.used, 0);
	for (int i = 0; i < ACCOUNT_BUCKETS; i++)
		CHECK(list_empty(&accounts.buckets[i]));
	accounts_clear(&accounts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),    cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_memory),   cmocka_unit_test(test_files),
		cmocka_unit_test(test_messages), cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
