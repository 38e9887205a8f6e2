/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migration_json.h - options, progress and id of a migration as JSON. */
#ifndef STRADDLE_MIGRATION_JSON_H
#define STRADDLE_MIGRATION_JSON_H

#include "protocol/protocol.h"

struct json_object;

#define DOWNTIME_DEFAULT_NS	300000000ull

void migration_options_init(struct migration_options *options);
struct json_object *migration_options_to_json(const struct migration_options *options);
int migration_options_from_json(struct json_object *object,
				struct migration_options *options,
				struct fail *fail);
int migration_options_known(struct json_object *object, struct fail *fail);
int engine_named(const char *name, enum engine *engine);
int migration_options_check(const struct migration_options *options,
			    struct fail *fail);

struct json_object *progress_to_json(const struct progress *progress);
int progress_from_json(struct json_object *object, struct progress *progress,
		       struct fail *fail);

void migration_id_to_text(const uint8_t *id, char text[MIGRATION_ID_TEXT]);
int migration_id_from_text(const char *text, uint8_t id[MIGRATION_ID_SIZE]);

#endif
