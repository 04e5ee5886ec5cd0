/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <inttypes.h>

#include "wire/line.h"
#include "wire/mad.h"

static void add_ip(struct line *line, uint8_t version, const uint8_t ip[16])
{
	char text[INET6_ADDRSTRLEN] = "?";

	inet_ntop(version == 4 ? AF_INET : AF_INET6, version == 4 ? ip + 12 : ip, text,
	          sizeof(text));
	line_add(line, version == 4 ? " %s" : " [%s]", text);
}

static void add_route(struct line *line, const struct mad_route *route)
{
	line_add(line, " service 0x%" PRIx64, route->service_id);
	if (!route->ip_version)
		return;
	line_add(line, " from");
	add_ip(line, route->ip_version, route->source_ip);
	line_add(line, ":%u to", route->source_port);
	add_ip(line, route->ip_version, route->destination_ip);
	line_add(line, ":%u", (unsigned int)(route->service_id & 0xffff));
}

static const char *reason_text(uint16_t reason)
{
	switch (reason) {
	case REJECT_NO_RESOURCES: return "no resources";
	case REJECT_TIMEOUT: return "timeout";
	case REJECT_INVALID_COMM_ID: return "invalid communication id";
	case REJECT_INVALID_SERVICE_ID: return "nobody listens";
	case REJECT_INVALID_TRANSPORT: return "invalid transport service type";
	case REJECT_STALE_CONNECTION: return "stale connection";
	case REJECT_INVALID_PATH_MTU: return "path MTU too large";
	case REJECT_CONSUMER: return "by the consumer";
	case REJECT_VENDOR_OPTION: return "vendor option not supported";
	default: return "see IBA table 106";
	}
}

static void add_about(struct line *line, uint8_t about)
{
	static const char *const names[] = { "REQ", "REP", "no message", "reserved" };

	line_add(line, " of %s", names[about & 3]);
}

static void add_body(struct line *line, const struct mad *mad)
{
	switch (mad->kind) {
	case MAD_REQ:
		add_route(line, &mad->req.route);
		line_add(line, " qp 0x%06" PRIx32 " psn 0x%06" PRIx32, mad->req.qpn,
		         mad->req.psn);
		break;
	case MAD_REP:
		line_add(line, " qp 0x%06" PRIx32 " psn 0x%06" PRIx32, mad->rep.qpn,
		         mad->rep.psn);
		break;
	case MAD_MRA:
		add_about(line, mad->mra.about);
		line_add(line, " wait 2^%u * 4.096 us", mad->mra.service_timeout);
		break;
	case MAD_REJ:
		add_about(line, mad->rej.about);
		line_add(line, " reason %u, %s", mad->rej.reason,
		         reason_text(mad->rej.reason));
		break;
	case MAD_DREQ: line_add(line, " qp 0x%06" PRIx32, mad->dreq.qpn); break;
	case MAD_SIDR_REQ: add_route(line, &mad->sidr_req.route); break;
	case MAD_SIDR_REP:
		line_add(line, " status %u qp 0x%06" PRIx32 " qkey 0x%08" PRIx32,
		         mad->sidr_rep.status, mad->sidr_rep.qpn, mad->sidr_rep.qkey);
		break;
	default: break;
	}
}

int mad_print(const struct mad *mad, char *text, size_t size)
{
	struct line line = { text, size, 0 };

	line_add(&line, "CM %s", mad_kind_name((enum mad_kind)mad->kind));
	if (mad->kind != MAD_SIDR_REP)
		line_add(&line, " id 0x%08" PRIx32, mad->local_id);
	if (mad->kind != MAD_REQ && mad->kind != MAD_SIDR_REQ)
		line_add(&line, " for 0x%08" PRIx32, mad->remote_id);
	add_body(&line, mad);
	return line.length;
}
