// SPDX-License-Identifier: BSD-2-Clause
/* As the kernel has it: Documentation/ABI/stable/sysfs-class-infiniband. */
#include "sysfs/content.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/inspect.h"
#include "sysfs/files.h"

enum { PATH_SIZE = 256, TEXT_SIZE = 128 };

/* Where the files of one device are made, and the first error. */
struct place {
	int root;
	const struct device *of;
	const char *device; /* its name */
	int err;
};

/* The file's name below the device's directory; a format for the text. */
__attribute__((format(printf, 3, 4))) static void
put(struct place *place, const char *name, const char *format, ...)
{
	char path[PATH_SIZE], text[TEXT_SIZE];
	va_list args;

	if (place->err)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "class/infiniband/%s/%s", place->device, name);
	place->err = files_write(place->root, path, text);
}

static void directory(struct place *place, const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "class/infiniband/%s/%s", place->device, name);
	if (!place->err)
		place->err = files_directory(place->root, path);
}

static void put_guid(struct place *place, const char *name, uint64_t guid)
{

	put(place, name, "%04x:%04x:%04x:%04x", (unsigned int)(guid >> 48),
	    (unsigned int)(guid >> 32) & 0xffff, (unsigned int)(guid >> 16) & 0xffff,
	    (unsigned int)guid & 0xffff);
}

static void put_device(struct place *place)
{
	struct ibv_device_attr attr;
	char host[64] = "";

	device_query(place->of, &attr);
	gethostname(host, sizeof(host) - 1);
	put(place, "node_type", "1: CA");
	put(place, "node_desc", "%s %s", host, place->device);
	put_guid(place, "node_guid", be64toh(attr.node_guid));
	put_guid(place, "sys_image_guid", be64toh(attr.sys_image_guid));
	put(place, "fw_ver", "%s", attr.fw_ver);
	put(place, "hw_rev", "%x", attr.hw_ver);
	put(place, "hca_type", "mockrdma");
}

/* In tenths of Gb/s for one lane, by the bits of active_speed (IBA 14.2.5.6). */
static const struct {
	unsigned int speed;
	unsigned int tenths;
	const char *name;
} speeds[] = {
	{ 1, 25, "SDR" },   { 2, 50, "DDR" },   { 4, 100, "QDR" },  { 8, 100, "FDR10" },
	{ 16, 140, "FDR" }, { 32, 250, "EDR" }, { 64, 500, "HDR" }, { 128, 1000, "NDR" },
};

static unsigned int lanes(unsigned int width)
{
	return width == 2 ? 4 : width == 4 ? 8 : width == 8 ? 12 : width == 16 ? 2 : 1;
}

static void put_rate(struct place *place, const struct ibv_port_attr *attr)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(speeds); i++) {
		unsigned int all = speeds[i].tenths * lanes(attr->active_width);

		if (speeds[i].speed != attr->active_speed)
			continue;
		if (all % 10)
			put(place, "ports/1/rate", "%u.%u Gb/sec (%uX %s)", all / 10,
			    all % 10, lanes(attr->active_width), speeds[i].name);
		else
			put(place, "ports/1/rate", "%u Gb/sec (%uX %s)", all / 10,
			    lanes(attr->active_width), speeds[i].name);
	}
}

static void put_state(struct place *place)
{
	static const char *const states[] = { "NOP",   "DOWN",   "INIT",
		                              "ARMED", "ACTIVE", "ACTIVE_DEFER" };
	static const char *const phys[] = {
		[2] = "Polling", [3] = "Disabled", [5] = "LinkUp"
	};
	struct ibv_port_attr attr;

	device_query_port(place->of, &attr);
	put(place, "ports/1/state", "%u: %s", attr.state,
	    attr.state < ARRAY_SIZE(states) ? states[attr.state] : "<unknown>");
	put(place, "ports/1/phys_state", "%u: %s", attr.phys_state,
	    attr.phys_state < ARRAY_SIZE(phys) && phys[attr.phys_state]
	            ? phys[attr.phys_state]
	            : "<unknown>");
	put_rate(place, &attr);
}

static void put_port(struct place *place)
{
	struct ibv_port_attr attr;

	device_query_port(place->of, &attr);
	put(place, "ports/1/cap_mask", "0x%08x", attr.port_cap_flags);
	put(place, "ports/1/lid", "0x%x", attr.lid);
	put(place, "ports/1/lid_mask_count", "%u", attr.lmc);
	put(place, "ports/1/sm_lid", "0x%x", attr.sm_lid);
	put(place, "ports/1/sm_sl", "%u", attr.sm_sl);
	put(place, "ports/1/link_layer", "Ethernet");
	put(place, "ports/1/pkeys/0", "0xffff");
	put_state(place);
}

static void drop(struct place *place, const char *format, unsigned int index)
{
	char name[64], path[PATH_SIZE];

	snprintf(name, sizeof(name), format, index);
	snprintf(path, sizeof(path), "class/infiniband/%s/%s", place->device, name);
	unlinkat(place->root, path, 0);
}

/* Reading the attributes of an empty entry fails in the kernel; here there is none. */
static void put_gid(struct place *place, unsigned int index)
{
	static const union ibv_gid none;
	char name[64], netdev[IF_NAMESIZE];
	struct gid_entry entry;
	const uint8_t *g = entry.gid.raw;

	if (device_gid(place->of, index, &entry))
		return;
	snprintf(name, sizeof(name), "ports/1/gids/%u", index);
	put(place, name,
	    "%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x",
	    g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8], g[9], g[10], g[11],
	    g[12], g[13], g[14], g[15]);
	if (memcmp(&entry.gid, &none, sizeof(none)) == 0 ||
	    !if_indextoname(entry.ifindex, netdev)) {
		drop(place, "ports/1/gid_attrs/ndevs/%u", index);
		drop(place, "ports/1/gid_attrs/types/%u", index);
		return;
	}
	snprintf(name, sizeof(name), "ports/1/gid_attrs/ndevs/%u", index);
	put(place, name, "%s", netdev);
	snprintf(name, sizeof(name), "ports/1/gid_attrs/types/%u", index);
	put(place, name, "RoCE v2");
}

/* The interfaces that the device's addresses are on. */
static void link_netdev(struct place *place, uint32_t ifindex)
{
	char path[PATH_SIZE], target[PATH_SIZE], netdev[IF_NAMESIZE];

	if (!ifindex || !if_indextoname(ifindex, netdev) || place->err)
		return;
	snprintf(path, sizeof(path), "class/infiniband/%s/device/net/%s", place->device,
	         netdev);
	snprintf(target, sizeof(target), "/sys/class/net/%s", netdev);
	place->err = files_link(place->root, path, target);
}

static void put_gids(struct place *place)
{
	for (unsigned int i = 0; i < GID_TABLE_SIZE && !place->err; i++) {
		struct gid_entry entry;

		put_gid(place, i);
		if (!device_gid(place->of, i, &entry))
			link_netdev(place, entry.ifindex);
	}
}

static void put_counter(struct place *place, const char *name, uint64_t value)
{
	put(place, name, "%" PRIu64, value);
}

/* Data in units of four octets (IBA 16.1.3.5); what a port of no wire cannot have is 0.
 */
static void put_counters(struct place *place)
{
	static const char *const none[] = {
		"symbol_error",
		"link_error_recovery",
		"link_downed",
		"port_rcv_errors",
		"port_xmit_discards",
		"local_link_integrity_errors",
		"port_rcv_remote_physical_errors",
		"excessive_buffer_overrun_errors",
		"VL15_dropped",
	};
	struct counters total;
	char name[64];

	if (inspect_total(&total))
		memset(&total, 0, sizeof(total));
	put_counter(place, "ports/1/counters/port_xmit_data",
	            total.value[COUNT_SENT_BYTES] / 4);
	put_counter(place, "ports/1/counters/port_rcv_data",
	            total.value[COUNT_RCVD_BYTES] / 4);
	put_counter(place, "ports/1/counters/port_xmit_packets",
	            total.value[COUNT_SENT_PKTS]);
	put_counter(place, "ports/1/counters/port_rcv_packets",
	            total.value[COUNT_RCVD_PKTS]);
	for (unsigned int i = 0; i < ARRAY_SIZE(none); i++) {
		snprintf(name, sizeof(name), "ports/1/counters/%s", none[i]);
		put_counter(place, name, 0);
	}
	for (unsigned int i = 0; i < COUNTERS; i++) {
		snprintf(name, sizeof(name), "ports/1/hw_counters/%s", counter_names[i]);
		put_counter(place, name, total.value[i]);
	}
}

static void put_verbs(struct place *place)
{
	const struct ibv_device *device = &place->of->ibv;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "class/infiniband_verbs/%s", device->dev_name);
	if (!place->err)
		place->err = files_directory(place->root, path);
	snprintf(path, sizeof(path), "class/infiniband_verbs/%s/ibdev", device->dev_name);
	if (!place->err)
		place->err = files_write(place->root, path, device->name);
	snprintf(path, sizeof(path), "class/infiniband_verbs/%s/abi_version",
	         device->dev_name);
	if (!place->err)
		place->err = files_write(place->root, path, "1");
}

static void make_device(struct place *place)
{
	static const char *const directories[] = {
		"device/net",
		"ports/1/gids",
		"ports/1/gid_attrs/ndevs",
		"ports/1/pkeys",
		"ports/1/gid_attrs/types",
		"ports/1/counters",
		"ports/1/hw_counters",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(directories); i++)
		directory(place, directories[i]);
	put_device(place);
	put_port(place);
	put_gids(place);
	put_counters(place);
	put_verbs(place);
}

static int each_device(int root, void (*each)(struct place *place))
{
	struct place place = { .root = root };

	for (unsigned int i = 0; i < device_count() && !place.err; i++) {
		place.of = device_at(i);
		place.device = device_at(i)->ibv.name;
		each(&place);
	}
	return place.err;
}

int content_make(int root)
{
	int err = files_directory(root, "class/infiniband_verbs");

	if (!err)
		err = files_write(root, "class/infiniband_verbs/abi_version", "6");
	return err ? err : each_device(root, make_device);
}

int content_update_gids(int root)
{
	return each_device(root, put_gids);
}

int content_update_counters(int root)
{
	return each_device(root, put_counters);
}

int content_update_state(int root)
{
	return each_device(root, put_state);
}
