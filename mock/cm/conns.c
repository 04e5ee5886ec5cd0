/* SPDX-License-Identifier: BSD-2-Clause */
/* All connections of the process, found by what a message says. */
#include <string.h>
#include "cm/conn.h"
#include "cm/lock.h"
#include "host/comm_id.h"
#include "host/request.h"

enum { TABLE_SIZE = 1024 };

/* By our communication id; for the repetitions of a REQ by the peer's, and for those who
 * begin anew by the peer's queue pair. */
static struct list by_local[TABLE_SIZE], by_remote[TABLE_SIZE], by_qpn[TABLE_SIZE];

static struct list *list_of(struct list *table, uint32_t id)
{
	struct list *head = &table[id % TABLE_SIZE];

	if (!head->next)
		list_init(head);
	return head;
}

void conns_forget(void)
{
	memset(by_local, 0, sizeof(by_local));
	memset(by_remote, 0, sizeof(by_remote));
	memset(by_qpn, 0, sizeof(by_qpn));
}

struct conn *conn_find(uint32_t local_id)
{
	/* The part that is drawn, above the process's own. */
	struct list *head = list_of(by_local, local_id >> 12), *at;

	list_for_each (at, head) {
		struct conn *conn = list_entry(at, struct conn, local_node);

		if (conn->local_id == local_id)
			return conn;
	}
	return NULL;
}

struct conn *conn_find_remote(const struct far *far, uint32_t remote_id)
{
	struct list *head = list_of(by_remote, remote_id), *at;

	list_for_each (at, head) {
		struct conn *conn = list_entry(at, struct conn, remote_node);

		if (conn->remote_id == remote_id && far_same(&conn->far, far))
			return conn;
	}
	return NULL;
}

struct conn *conn_find_qpn(const struct far *far, uint32_t qpn)
{
	struct list *head = list_of(by_qpn, qpn), *at;

	list_for_each (at, head) {
		struct conn *conn = list_entry(at, struct conn, qpn_node);

		if (conn->remote_qpn == qpn && conn->state != CONN_CLOSED &&
		    far_same(&conn->far, far))
			return conn;
	}
	return NULL;
}

static uint32_t draw_id(void)
{
	uint32_t id;

	do {
		id = comm_id_draw();
	} while (conn_find(id));
	return id;
}

/* Other processes of the host may receive its repetitions. */
static bool is_from_abroad(const struct conn *conn)
{
	return conn->remote_id && conn->far.carrier == &carrier_mads;
}

void conns_add(struct conn *conn)
{
	conn->local_id = draw_id();
	list_add_tail(list_of(by_local, conn->local_id >> 12), &conn->local_node);
	if (conn->remote_id)
		list_add_tail(list_of(by_remote, conn->remote_id), &conn->remote_node);
	if (is_from_abroad(conn))
		request_note(conn->far.path.remote.raw, conn->remote_id);
}

void conns_set_qpn(struct conn *conn, uint32_t remote_qpn)
{
	conn->remote_qpn = remote_qpn;
	list_del(&conn->qpn_node);
	list_add_tail(list_of(by_qpn, remote_qpn), &conn->qpn_node);
}

static void abandon_abroad(struct list *head)
{
	struct list *at, *next;

	list_for_each_safe (at, next, head) {
		struct conn *conn = list_entry(at, struct conn, local_node);

		if (conn->far.carrier == &carrier_mads)
			conn_abandon(conn_id(conn));
	}
}

/*
 * A program that exits with connections: their far ends are told once, as the kernel
 * tells them when it closes what the program had open. Those on this host notice by
 * themselves. It comes before the destructors with a priority, by which this process
 * leaves the network and the host.
 */
__attribute__((destructor)) static void abandon_at_exit(void)
{
	if (!cm_enter_at_exit())
		return;
	for (unsigned int i = 0; i < TABLE_SIZE; i++)
		if (by_local[i].next)
			abandon_abroad(&by_local[i]);
	cm_leave();
}

void conns_remove(struct conn *conn)
{
	if (is_from_abroad(conn))
		request_forget(conn->far.path.remote.raw, conn->remote_id);
	list_del(&conn->local_node);
	list_del(&conn->remote_node);
	list_del(&conn->qpn_node);
}
