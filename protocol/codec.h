/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec.h - bodies of messages from and to bytes (protobuf-c). */
#ifndef STRADDLE_CODEC_H
#define STRADDLE_CODEC_H

#include "protocol/message.h"

/* Decode and check; bounded memory. -EPROTO says what is wrong with it. */
int codec_decode(const struct message_rule *rule, const uint8_t *bytes,
		 size_t size, ProtobufCMessage **body, struct fail *fail);
void codec_free(ProtobufCMessage *body);

#endif
