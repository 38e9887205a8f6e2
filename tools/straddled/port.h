/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * port.h - what a worker and its agent say to each other.
 *
 * Two SOCK_SEQPACKET sockets, one JSON object a packet (at most
 * PORT_PACKET_MAX bytes), and the worker's connection to the broker:
 *
 *   PORT_RPC_FD      the worker asks, the agent answers each request with
 *                    {"ok":true,...} or {"ok":false,"errno":N,"error":"..."}
 *     {"do":"begin","row":{"id","side","guest","uuid","peer","peer_digest",
 *                    "epoch","guest_pid","paused"}}  refused when another
 *                    open row has this UUID, or this name at the dest;
 *                    answers "epoch" (source: as this host knows it)
 *     {"do":"move","to":"ASKED"}       compare-and-set in the journal; when
 *                    it loses: errno ESTALE and "now":"DISCARDED"
 *     {"do":"note","error":S,"summary":{...},"proof":S}  each one optional;
 *                    summary: struct progress at the end, as JSON. Before
 *                    begin it is kept for the user only, not journalled
 *     {"do":"paused","paused":B}       its owner paused or resumed the guest
 *     {"do":"attached","remote_fd":N}  number of a userfaultfd that the
 *                    broker made in the guest's process;
 *                    when a source's worker dies, the agent removes it
 *     {"do":"detached","remote_fd":N}  it is gone
 *     {"do":"progress",...}            struct progress as JSON; NO answer
 *   PORT_COMMAND_FD  the agent tells, the worker does not answer
 *     {"do":"job",...}                 first packet: see struct job
 *     {"do":"abort"} {"do":"postcopy"} {"do":"bandwidth","bytes":N}
 *     {"do":"connection","role":N,"index":N}   + the socket by SCM_RIGHTS,
 *                    its preamble read by the agent
 *   PORT_BROKER_FD   broker_attach() and the like
 *
 * A worker that ends before its row has ended has died; the agent says so.
 */
#ifndef STRADDLE_PORT_H
#define STRADDLE_PORT_H

#include "protocol/protocol.h"

#define PORT_RPC_FD	3
#define PORT_COMMAND_FD	4
#define PORT_BROKER_FD	5
#define PORT_PACKET_MAX	65536

/*
 * The job packet, as JSON:
 * {"do":"job","side":"source"|"dest"|"answer","id":HEX32,
 *  "run_dir":S,"definitions_dir":S,"allow_qmp":B,"security":"none"|"x509"|"psk",
 *  "pki_dir":S|null,"psk_file":S|null,
 *  source:  "options":{"host","guest","dest_name","live","postcopy",
 *           "postcopy_after_precopy","persistent","undefine_source",
 *           "handover","bandwidth","postcopy_bandwidth","downtime_ns",
 *           "timeout_ns","timeout_action":"suspend"|"postcopy",
 *           "rounds_max","fault_lanes","push_lanes","engine":"straddle"|
 *           "native"|"auto","dest_uri","migrate_uri","tls"}   (struct
 *           migration_options, one key a member; absent: its default)
 *  dest:    a "connection" packet with the control connection follows
 *  answer:  "row":{"state","error","proof","epoch","peer_digest"}|null;
 *           the control connection follows: a dest whose worker is gone
 *           answers QUERY from its journal}
 * A worker is `straddled --worker`, with the descriptors above.
 */
int worker_main(void);			/* worker.c; the exit status */

#endif
