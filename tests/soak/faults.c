/* SPDX-License-Identifier: BSD-2-Clause */
// Preloaded: the system fails now and then, as systems do. SOAK_FAULTS says how often:
//
//      alloc=N   one allocation in N fails
//      eintr=N   one call in N that may be interrupted is
//      short=N   one write to a file in N takes half
//      full=N    one write to a file in N finds the disk full
//      clock=S   the time of day steps every few seconds, forth and back, to at most S
//                seconds after what it is: certificates made just now stay valid
//      after=S   none of these in the first S seconds: the program may start
//      seed=N    what is drawn
//
// Two libraries get all the memory that they ask for: the C library asserts it in its
// name service, and the HTTP server of libevent 2.1.12 uses what it has not got, which
// stopped the server whose metrics were asked for.
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define STEP_S    7    /* between two steps of the clock */
#define IS_A_FILE 4096 /* shorter writes are to descriptors that take all or nothing */

#define EXPORTED __attribute__((visibility("default")))

/* glibc's own: dlsym() allocates, and could not be used to find them. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nmemb, size_t size);
void *__libc_realloc(void *ptr, size_t size);

static struct {
	unsigned long alloc, eintr, shortened, full, clock, after, seed;
} rates;

static const struct {
	const char *name;
	unsigned long *value;
} names[] = {
	{ "alloc=", &rates.alloc },     { "eintr=", &rates.eintr },
	{ "short=", &rates.shortened }, { "full=", &rates.full },
	{ "clock=", &rates.clock },     { "after=", &rates.after },
	{ "seed=", &rates.seed },
};

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_poll)(struct pollfd *, nfds_t, int);
static int (*real_epoll_wait)(int, struct epoll_event *, int, int);
static time_t started;

static time_t uptime(void)
{
	struct timespec now;

	real_clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - started;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* Threads draw from sequences of their own. */
static int strikes(unsigned long one_in)
{
	static __thread uint64_t state __attribute__((tls_model("initial-exec")));

	if (!one_in || !started)
		return 0;
	if (!state)
		state = rates.seed + (uintptr_t)&state;
	state += UINT64_C(0x9e3779b97f4a7c15);
	return mix(state) % one_in == 0 && uptime() >= (time_t)rates.after;
}

static void *find(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

static struct range {
	uintptr_t begin, end;
	uintptr_t within; /* a function of that library, or 0 */
} spared[2];

static int look_at(struct dl_phdr_info *info, size_t size, void *to)
{
	struct range *range = to;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + part->p_vaddr;

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) ||
		    range->within < begin || range->within >= begin + part->p_memsz)
			continue;
		range->begin = begin;
		range->end = begin + part->p_memsz;
		return 1;
	}
	return 0;
}

static int fails(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;

	for (int i = 0; i < 2; i++)
		if (at >= spared[i].begin && at < spared[i].end)
			return 0;
	return strikes(rates.alloc);
}

static void find_all(void)
{
	real_clock_gettime = (int (*)(clockid_t, struct timespec *))find("clock_gettime");
	real_read = (ssize_t(*)(int, void *, size_t))find("read");
	real_write = (ssize_t(*)(int, const void *, size_t))find("write");
	real_poll = (int (*)(struct pollfd *, nfds_t, int))find("poll");
	real_epoll_wait =
	        (int (*)(int, struct epoll_event *, int, int))find("epoll_wait");
}

static __attribute__((constructor)) void start(void)
{
	const char *at = getenv("SOAK_FAULTS");

	find_all();
	spared[0].within = (uintptr_t)find("getaddrinfo");
	spared[1].within = (uintptr_t)dlsym(RTLD_NEXT, "evhttp_new");
	for (int i = 0; i < 2; i++)
		dl_iterate_phdr(look_at, &spared[i]);
	for (size_t i = 0; at && i < sizeof(names) / sizeof(names[0]); i++) {
		const char *found = strstr(at, names[i].name);

		if (found)
			*names[i].value =
			        strtoul(found + strlen(names[i].name), NULL, 10);
	}
	started = uptime();
}

EXPORTED void *malloc(size_t size)
{
	if (fails(__builtin_return_address(0))) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_malloc(size);
}

EXPORTED void *calloc(size_t nmemb, size_t size)
{
	if (fails(__builtin_return_address(0))) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_calloc(nmemb, size);
}

EXPORTED void *realloc(void *ptr, size_t size)
{
	if (size && fails(__builtin_return_address(0))) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(ptr, size);
}

/* Other libraries' constructors may come before ours. */
static int is_interrupted(void)
{
	if (!real_read)
		find_all();
	if (!strikes(rates.eintr))
		return 0;
	errno = EINTR;
	return 1;
}

EXPORTED ssize_t read(int fd, void *buf, size_t nbytes)
{
	return is_interrupted() ? -1 : real_read(fd, buf, nbytes);
}

static int is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

EXPORTED ssize_t write(int fd, const void *buf, size_t n)
{
	if (is_interrupted())
		return -1;
	if (n >= IS_A_FILE && is_file(fd)) {
		if (strikes(rates.full)) {
			errno = ENOSPC;
			return -1;
		}
		if (strikes(rates.shortened))
			n /= 2;
	}
	return real_write(fd, buf, n);
}

EXPORTED int poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	return is_interrupted() ? -1 : real_poll(fds, nfds, timeout);
}

EXPORTED int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	return is_interrupted() ? -1 : real_epoll_wait(epfd, events, maxevents, timeout);
}

static time_t step(void)
{
	time_t now = uptime();
	uint64_t drawn = mix(rates.seed + (uint64_t)(now / STEP_S));

	if (!rates.clock || now < (time_t)rates.after)
		return 0;
	return (time_t)(drawn % (rates.clock + 1));
}

EXPORTED int clock_gettime(clockid_t clock_id, struct timespec *tp)
{
	int error;

	if (!real_clock_gettime)
		find_all();
	error = real_clock_gettime(clock_id, tp);
	if (!error && clock_id == CLOCK_REALTIME)
		tp->tv_sec += step();
	return error;
}

EXPORTED int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec now;
	int error = clock_gettime(CLOCK_REALTIME, &now);

	(void)tz;
	tv->tv_sec = now.tv_sec;
	tv->tv_usec = now.tv_nsec / 1000;
	return error;
}

EXPORTED time_t time(time_t *timer)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (timer)
		*timer = now.tv_sec;
	return now.tv_sec;
}
