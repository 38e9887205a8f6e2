// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * recover_dest.c - the dest goes on with what it has, until the source is back.
 *
 * RECOVER ends all lanes of older generations, also those that are just being
 * opened, before the bitmap of present pages is read: what the source hears is
 * what stays true.
 */
#include <errno.h>
#include <gnutls/crypto.h>
#include <string.h>

#include "protocol/accept.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

#define GENERATION_MAX	(UINT32_MAX / 2)
#define STILL_NS	UINT64_C(4000000000)
#define TELL_AGAIN_NS	UINT64_C(3000000000)	/* what RECOVER did not follow */

/**
 * recover_tell_broken() - pages cannot arrive for now: the guest waits for those
 * @m: running; some lane has an error, or none
 *
 * Lanes may be broken here and not at the source, which has nothing but this word
 * then. So it is said on each channel, and again until there are other lanes.
 */
void recover_tell_broken(struct migration *m)
{
	Straddle__Broken broken = STRADDLE__BROKEN__INIT;
	int error = dest_error(m->dest);

	if (error >= 0 || (m->broken_told_ns &&
			   now_ns() - m->broken_told_ns < TELL_AGAIN_NS))
		return;
	m->broken_told = true;
	m->broken_told_ns = now_ns();
	broken.has_no_room = true;
	broken.no_room = broken_no_room(error);
	broken.reason = (char *)broken_words(error);
	if (broken.no_room)
		broken_note(m,
			    "no room here for memory of guest '%.40s' (%.40s): missing pages wait; make room, then they come",
			    m->description.name, broken.reason);
	else
		broken_note(m, "lanes from the source broke (%s): missing pages wait",
			    broken.reason);
	send_message(m, MSG_BROKEN, &broken.base);
}

/**
 * recover_look() - pages are missing, and nothing is on its way any more?
 * @m: running
 *
 * All was pushed, and for a while no page has come: what left the source, or
 * was asked of it, did not get through.
 */
void recover_look(struct migration *m)
{
	uint64_t missing = __atomic_load_n(&m->dest->missing, __ATOMIC_ACQUIRE);

	if (m->recovering || m->settled || !missing ||
	    missing != m->still_missing ||
	    dest_barrier_passed(m->dest) != m->generation) {
		m->still_missing = missing;
		m->still_ns = now_ns();
	} else if (now_ns() - m->still_ns > STILL_NS) {
		m->still_ns = now_ns();
		dest_fail(m->dest, -ENODATA);
	}
}

static int token_renew(struct migration *m)
{
	if (gnutls_rnd(GNUTLS_RND_KEY, m->token, sizeof(m->token)))
		return -EIO;
	accepter_renew(m->accepter, m->token);
	return 0;
}

static int recovered_send(struct migration *m)
{
	Straddle__Recovered said = STRADDLE__RECOVERED__INIT;

	said.token.data = m->token;
	said.token.len = sizeof(m->token);
	said.generation = m->generation;
	said.fault_lanes = m->fault_lanes;
	said.push_lanes = m->push_lanes;
	said.has_packs = said.packs = m->packs;
	return send_message(m, MSG_RECOVERED, &said.base);
}

/**
 * recover_dest() - let go of all lanes, say what is here, expect new lanes
 * @m: running
 * @said: the source's RECOVER
 *
 * Return: 0, or -errno: the source has to come again.
 */
int recover_dest(struct migration *m, const Straddle__Recover *said)
{
	int ret;

	if (said->generation > GENERATION_MAX)
		return -EPROTO;
	broken_note(m, "the source opens new lanes: missing pages wait");
	ret = token_renew(m);
	if (!ret)
		ret = dest_lanes_end(m->dest);
	if (ret)
		return ret;
	if (m->generation < said->generation)
		m->generation = said->generation;
	m->generation++;
	m->packs = said->has_packs && said->packs;
	m->recovering = true;
	m->broken_told = false;
	m->broken_told_ns = 0;
	ret = page_set_send(m, MSG_PRESENT);
	return ret ? ret : recovered_send(m);
}

/**
 * recover_lanes() - when all new lanes are here, pages move again
 * @m: running; lanes_accepted() took some
 */
void recover_lanes(struct migration *m)
{
	int ret;

	if (!m->recovering || !lanes_complete(m))
		return;
	m->recovering = false;
	ret = dest_lanes_start(m->dest, m->generation);
	if (ret < 0)
		dest_fail(m->dest, ret);	/* told as any other break */
	else
		broken_mended(m);
}
