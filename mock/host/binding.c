// SPDX-License-Identifier: BSD-2-Clause
/*
 * Addresses and ports of the connection manager. Who may share a port, and which listener
 * a request goes to, is as in the kernel's rdma_cm.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "host/random.h"
#include "host/registry.h"
#include "host/table.h"

/* As net.ipv4.ip_local_port_range is by default. */
#define EPHEMERAL_FIRST 32768
#define EPHEMERAL_COUNT 28232
#define PRIVILEGED      1024

static uint16_t port_of(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)addr)->sin_port);
	return ntohs(((const struct sockaddr_in6 *)addr)->sin6_port);
}

static void set_port(struct sockaddr *addr, uint16_t port)
{
	if (addr->sa_family == AF_INET)
		((struct sockaddr_in *)addr)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
}

static bool is_any(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return ((const struct sockaddr_in *)addr)->sin_addr.s_addr == INADDR_ANY;
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6 *)a)->sin6_addr,
	                          &((const struct sockaddr_in6 *)b)->sin6_addr);
}

static struct binding *at(uint32_t index)
{
	return &table()->binding[index];
}

static const struct sockaddr *address(const struct binding *binding)
{
	return (const struct sockaddr *)&binding->addr;
}

static uint32_t *list_of(uint16_t port)
{
	return &table()->port_list[port % PORT_LISTS];
}

static void unlink_from(uint32_t *list, uint32_t index)
{
	while (*list && *list != index)
		list = &at(*list)->next;
	if (*list)
		*list = at(index)->next;
}

static void remove_binding(uint32_t index)
{
	struct binding *binding = at(index);

	unlink_from(list_of(port_of(address(binding))), index);
	binding->owner_generation = 0;
	binding->next = table()->binding_free;
	table()->binding_free = index;
}

void binding_remove_all(uint32_t slot, uint64_t generation)
{
	for (uint32_t i = 1; i < table()->bindings; i++) {
		if (at(i)->owner == slot && at(i)->owner_generation == generation)
			remove_binding(i);
	}
}

void binding_repair(void)
{
	table()->binding_free = 0;
	memset(table()->port_list, 0, sizeof(table()->port_list));
	for (uint32_t i = table()->bindings - 1; i > 0; i--) {
		uint32_t *list = &table()->binding_free;

		if (at(i)->owner_generation)
			list = list_of(port_of(address(at(i))));
		at(i)->next = *list;
		*list = i;
	}
}

static const struct sockaddr *key_address(const struct listener_key *key)
{
	return (const struct sockaddr *)&key->addr;
}

/* Whether a new owner of the key and this binding can both be. */
static int conflict(const struct listener_key *key, const struct binding *other,
                    bool reuse)
{
	const struct sockaddr *addr = key_address(key);

	if (other->port_space != key->port_space ||
	    port_of(address(other)) != port_of(addr))
		return 0;
	if (reuse && other->reuse_addr)
		return 0;
	if (key->af_only && other->af_only &&
	    address(other)->sa_family != addr->sa_family)
		return 0;
	if (is_any(addr) || is_any(address(other)))
		return -EADDRNOTAVAIL;
	return same_address(addr, address(other)) ? -EADDRINUSE : 0;
}

/* Of a dead process all bindings go at once, so the list is begun again. */
static void drop_dead(uint16_t port)
{
	uint32_t index = *list_of(port);

	while (index) {
		struct binding *binding = at(index);

		if (table_owner_lives(binding->owner, binding->owner_generation)) {
			index = binding->next;
			continue;
		}
		if (binding->owner_generation)
			remove_binding(index);
		index = *list_of(port);
	}
}

static int check(const struct listener_key *key, bool reuse, uint32_t except)
{
	uint16_t port = port_of(key_address(key));
	int err = 0;

	drop_dead(port);
	for (uint32_t i = *list_of(port); i && !err; i = at(i)->next) {
		if (i != except)
			err = conflict(key, at(i), reuse);
	}
	return err;
}

/* An ephemeral port is one that nobody has for any address, as TCP would choose. */
static int choose_port(struct listener_key *key)
{
	struct sockaddr *addr = (struct sockaddr *)&key->addr;
	uint32_t start = random_u32() % EPHEMERAL_COUNT;

	for (uint32_t i = 0; i < EPHEMERAL_COUNT; i++) {
		set_port(addr,
		         (uint16_t)(EPHEMERAL_FIRST + (start + i) % EPHEMERAL_COUNT));
		if (!check(key, false, 0))
			return 0;
	}
	set_port(addr, 0);
	return -EADDRNOTAVAIL;
}

static int new_binding(uint32_t *index)
{
	struct table *t = table();

	if (t->binding_free) {
		*index = t->binding_free;
		t->binding_free = at(*index)->next;
		return 0;
	}
	if (t->bindings == BINDINGS ||
	    table_back(at(t->bindings), sizeof(struct binding)))
		return -ENOMEM;
	at(t->bindings)->owner_generation = 0;
	*index = t->bindings++;
	return 0;
}

static int add(const struct listener_key *key, uint32_t id, uint32_t *index)
{
	struct binding *binding;
	uint32_t *list;
	int err = new_binding(index);

	if (err)
		return err;
	binding = at(*index);
	binding->owner = table_self();
	binding->id = id;
	binding->port_space = key->port_space;
	binding->reuse_addr = key->reuse_addr;
	binding->af_only = key->af_only;
	binding->listening = false;
	memcpy(&binding->addr, &key->addr, sizeof(binding->addr));
	binding->owner_generation = table_generation();
	list = list_of(port_of(address(binding)));
	binding->next = *list;
	*list = *index;
	return 0;
}

static int bind_locked(struct listener_key *key, uint32_t id, uint32_t *binding)
{
	uint16_t port = port_of(key_address(key));
	int err;

	if (port && port < PRIVILEGED && geteuid() != 0)
		return -EACCES;
	err = port ? check(key, key->reuse_addr, 0) : choose_port(key);
	if (err)
		return err;
	return add(key, id, binding);
}

int registry_bind(struct listener_key *key, uint32_t id, uint32_t *binding)
{
	int err;

	if (!table_lock())
		return -ENODEV;
	err = bind_locked(key, id, binding);
	table_unlock();
	return err;
}

void registry_unbind(uint32_t binding)
{
	if (!table_lock())
		return;
	remove_binding(binding);
	table_unlock();
}

static int listen_locked(struct binding *binding, uint32_t index)
{
	struct listener_key key = {
		.port_space = binding->port_space,
		.af_only = binding->af_only,
	};
	int err;

	memcpy(&key.addr, &binding->addr, sizeof(binding->addr));
	err = check(&key, false, index);
	if (!err)
		binding->listening = true;
	return err;
}

int registry_listen(uint32_t binding, bool listening)
{
	int err = 0;

	if (!table_lock())
		return -ENODEV;
	if (listening)
		err = listen_locked(at(binding), binding);
	else
		at(binding)->listening = false;
	table_unlock();
	return err;
}

/* How well a listener fits: 0 not at all; its own address goes before all addresses. */
static int fit(const struct binding *binding, const struct sockaddr *dst, int port_space)
{
	const struct sockaddr *addr = address(binding);

	if (!binding->listening || binding->port_space != port_space ||
	    port_of(addr) != port_of(dst))
		return 0;
	if (same_address(addr, dst))
		return 3;
	if (!is_any(addr))
		return 0;
	if (addr->sa_family == dst->sa_family)
		return 2;
	return addr->sa_family == AF_INET6 && !binding->af_only ? 1 : 0;
}

static const struct binding *best_fit(const struct sockaddr *dst, int port_space)
{
	const struct binding *best = NULL;
	int best_fit = 0;

	drop_dead(port_of(dst));
	for (uint32_t i = *list_of(port_of(dst)); i; i = at(i)->next) {
		int this_fit = fit(at(i), dst, port_space);

		if (this_fit > best_fit) {
			best_fit = this_fit;
			best = at(i);
		}
	}
	return best;
}

int registry_find_listener(const struct sockaddr *dst, int port_space,
                           struct host_place *place, uint32_t *id)
{
	const struct binding *found;

	if (!table_lock())
		return -ENODEV;
	found = best_fit(dst, port_space);
	if (found) {
		place->slot = found->owner;
		place->generation = found->owner_generation;
		place->off = 0;
		*id = found->id;
	}
	table_unlock();
	return found ? 0 : -ENOENT;
}
