/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * port.h - what a worker and its agent say to each other.
 *
 * Two SOCK_SEQPACKET sockets, one JSON object a packet (at most
 * PORT_PACKET_MAX bytes), and the worker's connections to the broker:
 *
 *   PORT_RPC_FD      the worker asks, the agent answers each request with
 *                    {"ok":true,...} or {"ok":false,"errno":N,"error":"..."}
 *     {"do":"begin","row":{"id","side","guest","uuid","peer","peer_digest",
 *                    "epoch","guest_pid","paused"}}  refused when another
 *                    open row has this UUID, or this name at the dest, and
 *                    when its steward said another name; guest_pid counts
 *                    only where there is no steward;
 *                    answers "epoch" (source: as this host knows it)
 *     {"do":"move","to":"ASKED"}       compare-and-set in the journal; when
 *                    it loses: errno ESTALE and "now":"DISCARDED"
 *     {"do":"note","error":S,"summary":{...},"proof":S,"proven":B}  each one optional;
 *                    summary: struct progress at the end, as JSON. Before
 *                    begin, and of an "answer", it is kept for the user and
 *                    the log, not journalled. proven: the peer has, who it is
 *     {"do":"process"}                 dest: the row is to have the process that
 *                    its steward named; before that no LOADED
 *     {"do":"peer","from":S,"name":S}  dest: the source has connected anew, and
 *                    proven who it is; from: as "connection" has it
 *     {"do":"acknowledge"}             the peer has heard how it ended
 *     {"do":"paused","paused":B}       its owner paused or resumed the guest
 *     {"do":"attached","remote_fd":N}  number of a userfaultfd that the
 *                    broker made in the guest's process;
 *                    when a source's worker dies, the agent removes it
 *     {"do":"detached","remote_fd":N}  it is gone
 *     {"do":"listed","guest":{...}}    "list": one of the guests
 *     {"do":"progress",...}            struct progress as JSON; NO answer
 *   PORT_COMMAND_FD  the agent tells, the worker does not answer
 *     {"do":"job",...}                 first packet: see struct job
 *     {"do":"link","up":B}             the link to the peer lost its carrier, or
 *                    has it again
 *     {"do":"resolve","resolution":"take-back"|"give-up"|"poison"|"rescue"}
 *                    an operator's; rescue: + its file by SCM_RIGHTS
 *     {"do":"abort"} {"do":"postcopy"} {"do":"bandwidth","bytes":N}
 *     {"do":"connection","role":N,"index":N,"from":S}   + the socket by
 *                    SCM_RIGHTS, its preamble read by the agent; from: its address
 *   PORT_BROKER_FD   broker_attach() and the like
 *   PORT_BINDER_FD   broker_bind(): its steward's, as soon as it has one
 *   PORT_GUEST_FD    likewise its steward's, which tells, without an answer, which
 *                    guest it is; the agent hears that before what the worker asks
 *     {"do":"claim","guest":S}         dest: nobody here has that name
 *     {"do":"guest","guest":S,"private":B}  + its process (a pidfd) by SCM_RIGHTS;
 *                    private: not all of its memory is in files
 *
 * A worker that ends before its row has ended has died; the agent says so.
 */
#ifndef STRADDLE_PORT_H
#define STRADDLE_PORT_H

#include "protocol/protocol.h"

#define PORT_RPC_FD	3
#define PORT_COMMAND_FD	4
#define PORT_BROKER_FD	5
#define PORT_BINDER_FD	6
#define PORT_GUEST_FD	7
#define PORT_PACKET_MAX	65536

/*
 * The job packet, as JSON:
 * {"do":"job","side":"source"|"dest"|"answer","id":HEX32,
 *  "run_dir":S,"definitions_dir":S,"allow_qmp":B,"security":"none"|"x509"|"psk",
 *  "pki_dir":S|null,"psk_file":S|null,"allow_peers":[S,...],
 *  "inject":[S,...],   faults, counted in RUN-DIR/inject; absent: none
 *  source:  "options":{"host","guest","dest_name","live","postcopy",
 *           "postcopy_after_precopy","persistent","undefine_source",
 *           "handover","bandwidth","postcopy_bandwidth","downtime_ns",
 *           "timeout_ns","timeout_action":"suspend"|"postcopy",
 *           "rounds_max","fault_lanes","push_lanes","compressed","engine":
 *           "straddle"|"native"|"auto","dest_uri","migrate_uri","tls"}   (struct
 *           migration_options, one key a member; absent: its default)
 *  dest:    a "connection" packet with the control connection follows
 *  answer:  "row":{"state","error","proof","epoch","peer_digest"}|null;
 *           the control connection follows: a dest whose worker is gone
 *           answers QUERY from its journal}
 *  list:    nothing; tells of each guest
 *  settle:  "row" as above, "row_side", "process", "left":[N...], "again":B:
 *           ends what a worker left that died
 * "private_memory":B: a successor's steward may open the process's memory.
 * "successor":true: its predecessor has died; "row" says where it was, and
 * "resolution" what an operator wants (rescue: a packet with the file follows).
 * A worker is `straddled --worker`, with the descriptors above.
 */
#define WORKER_OPERATOR	3	/* exit status: only an operator can go on */

int worker_main(void);			/* worker.c; the exit status */

#endif
