/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* packet.h - one JSON object a packet over SOCK_SEQPACKET, with a descriptor. */
#ifndef STRADDLE_PACKET_H
#define STRADDLE_PACKET_H

struct json_object;

int packet_send(int fd, struct json_object *object, int passed);
int packet_receive(int fd, struct json_object **object, int *passed);

#endif
