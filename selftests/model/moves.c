/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * moves.c - the model's states and moves are those of protocol/owner.c.
 *
 * A state or a move that is in one of them and not in the other fails here, and
 * is named. What is left out of the model stands in a list.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checker.h"
#include "cleanup.h"
#include "harness.h"
#include "protocol/journal.h"

/* libvirt's own engine: who runs the guest is decided there, not here. */
static const enum owner_state left_out[] = { STATE_DELEGATED, STATE_MOVED };

struct moves {
	bool made[64][64];
};

static bool is_left_out(enum owner_state state)
{
	size_t i;

	for (i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (left_out[i] == state)
			return true;
	return false;
}

static void move_add(struct moves *moves, const char *from, const char *to)
{
	enum owner_state a = owner_state_named(from), b = owner_state_named(to);

	EXPECT_TRUE(b != STATE_NONE && (a != STATE_NONE || !strcmp(from, "NONE"))) {
		TH_LOG("%s -> %s: the code has no such state", from, to);
	}
	moves->made[a][b] = true;
}

/* MOVE(srow[i], STOPPED, ASKED), but for the line that defines it. */
static void moves_of_line(struct moves *moves, const char *line)
{
	char from[32], to[32];

	if (strstr(line, "#define MOVE"))
		return;
	while ((line = strstr(line, "MOVE(")) != NULL) {
		ASSERT_EQ(2, sscanf(line, "MOVE(%*[^,], %31[A-Z_], %31[A-Z_])", from, to)) {
			TH_LOG("cannot read: %s", line);
		}
		move_add(moves, from, to);
		line++;
	}
}

static void moves_of_file(struct moves *moves, const char *name)
{
	__cleanup_file FILE *file = NULL;
	char path[512], line[512];

	snprintf(path, sizeof(path), "%s/%s", MODEL_DIR, name);
	file = fopen(path, "re");
	ASSERT_NE(NULL, file);
	while (fgets(line, sizeof(line), file))
		moves_of_line(moves, line);
}

/* All that is written in the model. */
static void moves_written(struct moves *moves)
{
	struct dirent *entry;
	DIR *dir = opendir(MODEL_DIR);

	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir)) != NULL)
		if (strstr(entry->d_name, ".pml"))
			moves_of_file(moves, entry->d_name);
	closedir(dir);
}

static void moves_compare(const struct moves *moves, const char *what)
{
	enum owner_state from, to;

	for (from = 0; from < 64; from++)
		for (to = 0; to < 64; to++) {
			bool wanted = owner_may_move(from, to) && !is_left_out(from) &&
				      !is_left_out(to);

			EXPECT_EQ(wanted, moves->made[from][to]) {
				TH_LOG("%s -> %s: %s the model, %s the code",
				       owner_state_name(from), owner_state_name(to),
				       moves->made[from][to] ? what : "not in",
				       wanted ? "in" : "not in");
			}
		}
}

TEST(moves_are_those_of_the_code)
{
	struct moves moves = { .made = { { false } } };

	moves_written(&moves);
	moves_compare(&moves, "in");
}

/* Lines of "move: STOPPED ASKED", from pan. */
static void moves_made(struct moves *moves, const char *text)
{
	char from[32], to[32];

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (sscanf(text, "move: %31s %31s", from, to) == 2)
			move_add(moves, from, to);
	}
}

/* What is written and cannot happen proves nothing. */
TEST_TIMEOUT(moves_of_the_code_are_made, 60)
{
	struct moves moves = { .made = { { false } } };
	struct checker_result result;
	char why[128];

	if (!checker_there(why, sizeof(why)))
		SKIP(return, "%s", why);
	ASSERT_EQ(0, checker_run("-DCOVERAGE -DBAG -DOPERATOR -DFENCES=1 -DFAULTS=1"
				 " -DWORKERS=1 -DDEATHS=1 -DFLIPS=1",
				 CHECK_QUICKLY, &result));
	moves_made(&moves, result.text);
	moves_compare(&moves, "made in");
}

TEST_HARNESS_MAIN
