/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* phase.h - what the five phases share: waiting, moving on, telling. */
#ifndef STRADDLE_PHASE_H
#define STRADDLE_PHASE_H

#include "protocol/protocol.h"

/* phase.c: the phases themselves, in their own files. */
int begin_source(struct migration *m);
int begin_row(struct migration *m);
void begin_undo_source(struct migration *m);
int prepare_source(struct migration *m);
int control_connect(struct migration *m, int timeout_ms);
void prepare_undo_source(struct migration *m);
void prepare_give_up(struct migration *m);
int prepare_dest(struct migration *m);
const char *states_path(struct migration *m);
void prepare_undo_dest(struct migration *m);
void prepare_discard(struct migration *m);
int perform_source(struct migration *m);
void perform_undo_source(struct migration *m);
int perform_dest(struct migration *m);
int finish_source(struct migration *m);
int died_there(struct migration *m);
int perform_stop(struct migration *m);
int perform_compare(struct migration *m);
int finish_dest(struct migration *m);
void finish_undo_dest(struct migration *m);
int confirm_source(struct migration *m);
int confirm_dest(struct migration *m);

/* What a phase waits for; everything else is dealt with while waiting. */
enum event_kind {
	EVENT_TIMEOUT,
	EVENT_MESSAGE,		/* @message, to be freed by message_fini() */
	EVENT_ENGINE,		/* the source or dest of copy/ has news */
	EVENT_ABORT,		/* a user gives up */
	EVENT_SWITCH,		/* a user wants post-copy now */
	EVENT_LANE,		/* dest: the accepter has connections */
	EVENT_LOADED,		/* dest: load_end() tells what came of it */
	EVENT_RESOLVE,		/* an operator has decided: resolve() */
	EVENT_DIALLED,		/* source: dial_end() tells what came of it */
	EVENT_RETRY,		/* source: what was to be tried later is due */
	/* Past Perform only; before, each of these ends the migration. */
	EVENT_LOST,		/* the control channel broke; it is closed */
	EVENT_GUEST_ENDED,	/* the guest's process here is gone */
};

struct event {
	enum event_kind kind;
	struct message message;
};

/* From there on nothing that breaks ends the migration. */
static inline bool past_perform(const struct migration *m)
{
	return m->phase >= PHASE_FINISH;
}

/* wait.c */
int event_wait(struct migration *m, int timeout_ms, struct event *event);
int send_message(struct migration *m, enum message_type type,
		 const ProtobufCMessage *body);
void channel_lost(struct migration *m);
int peer_reason(struct migration *m);
int cookie_take(struct migration *m, const ProtobufCBinaryData *bytes);
uint64_t wall_clock_ns(void);
void cancel_send(struct migration *m, const char *reason);

/* command.c: what this host's agent tells */
int command_obey(struct migration *m, struct event *event);

/* refusal.c: why it cannot go on */
int engine_error(struct migration *m);
int event_refuse(struct migration *m, struct event *event);

/* pulse.c, silence.c: is anybody there? */
int pulse_start(struct migration *m);
void pulse_end(struct migration *m);
void channel_set(struct migration *m, struct channel *channel);
int silence_check(struct migration *m);
uint64_t silence_since(const struct migration *m);

/* recover_source.c: held, over new connections and lanes */
int query_connect(struct migration *m);
void recover_tick(struct migration *m);
int recover_patience_ms(const struct migration *m);
void recover_again(struct migration *m);
void recover_answered(struct migration *m);
void recover_poisoned(struct migration *m);
void recover_lanes_broke(struct migration *m, const char *why);
void recover_memory_lost(struct migration *m);
void recover_channel_broke(struct migration *m, const char *why);
void recover_dialled(struct migration *m);
int recover_message(struct migration *m, struct message *message);

/* recover_dest.c: runs on with what it has */
int recover_dest(struct migration *m, const Straddle__Recover *said);
void recover_lanes(struct migration *m);
void recover_look(struct migration *m);
void recover_tell_broken(struct migration *m);

/* broken.c: what is broken, for status */
void broken_note(struct migration *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void broken_lost(struct migration *m);
void broken_link(struct migration *m, bool up);
void broken_mended(struct migration *m);
void broken_over(struct migration *m);
const char *broken_words(int error);
bool broken_no_room(int error);
void broken_next_try(struct migration *m, uint64_t when_ns);

/* start.c: the dest starts the guest that it owns */
int start_guest(struct migration *m);
bool finish_dest_late(struct migration *m);
int died_here(struct migration *m);

/* resolve.c: an operator's decision */
int resolve(struct migration *m);
int taken_back(struct migration *m);
int tear_down(struct migration *m);

/* herald.c: how it ended here, to a dest that may be away */
int herald(struct migration *m);
void confirmed_tell(struct migration *m);

/* superseded.c: a copy whose guest was taken back */
int superseded(struct migration *m, const Straddle__Supersede *said);
void superseded_note(struct migration *m);
void superseded_look(struct migration *m);
int superseded_adopt(struct migration *m, bool known);

/* successor.c: in the place of a worker that died */
int successor_begin(struct migration *m);
int guest_expect(struct migration *m, pid_t pid);
int finish_source_again(struct migration *m);

/* journal moves, by the port */
int owner_begin(struct migration *m, struct journal_row *row);
int owner_move(struct migration *m, enum owner_state to);
int owner_record(struct migration *m, enum owner_state to);
int owner_insist(struct migration *m, enum owner_state to);
int owner_record_again(struct migration *m, struct fail *fail);
void owner_record_due(struct migration *m);
#define RECORD_AGAIN_MS		1000	/* what the journal did not take */

/* progress.c */
int part_time(struct migration *m, uint64_t *part,
	      int (*step)(struct migration *m));
void progress_decide(struct migration *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void progress_tell(struct migration *m);
void progress_tell_due(struct migration *m);
void progress_tell_peer(struct migration *m);
void progress_absorb(struct migration *m, const Straddle__Progress *said);

/* fence.c: nobody resumes the source's guest; drain.c: stand still for a look */
int fence_make(struct migration *m);
int fence_freeze(struct migration *m);
int fence_close(struct migration *m);
void fence_arm(struct migration *m);
bool fence_is_due(const struct migration *m);
void fence_step(struct migration *m);
void fence_finish(struct migration *m);
int fence_again(struct migration *m);
void fence_broken(struct migration *m);
void fence_lift(struct migration *m);
void fence_open(struct migration *m);
int pause_ask(struct migration *m);
int drain_look(struct migration *m, int (*look)(struct migration *m));
int drain_end(struct migration *m);

/* news.c: what somebody else had the hypervisor do */
int news_watch(struct migration *m);
int news_take(struct migration *m);
void news_paused(struct migration *m);
void news_resumed(struct migration *m);

/* memory.c: regions, userfaultfd, dirty tracking */
bool memory_is_lost(const struct migration *m);
int memory_map_regions(struct migration *m);
int memory_attach(struct migration *m, uint64_t features);
void memory_unregister(struct migration *m);
void memory_detach(struct migration *m);
int memory_track(struct migration *m);
void memory_untrack(struct migration *m);
int memory_receive(struct migration *m);

/* stale.c: what the guest must not see */
int memory_drop(struct migration *m, struct region *region, uint64_t first,
		uint64_t pages, const uint64_t *stale);
int memory_zap_stale(struct migration *m);

/* lanes.c, accept.c */
void lanes_packed(struct migration *m, bool accepted);
int lanes_connect(struct migration *m);
int lanes_listen(struct migration *m, const uint8_t *peer);
void lanes_connection(struct migration *m, const struct command_data *data);
int lanes_accepted(struct migration *m);
#define PREPARE_TIMEOUT_MS	30000	/* for the other side's part of Prepare */
#define LANES_TIMEOUT_MS	30000	/* for all of them to be opened */
#define LANES_A_ROLE_MAX	16
#define FAULT_LANES	4		/* if nobody asks; not above vCPUs */
#define PUSH_LANES	2		/* if nobody asks */
bool lanes_complete(const struct migration *m);
int lanes_late(struct migration *m);
int lane_channel(struct migration *m, enum channel_role role,
		 unsigned int index, struct channel **channel);
int lane_add(struct migration *m, enum channel_role role, unsigned int index,
	     struct channel *channel);

/* page_set.c, state.c: what Perform sends last */
typedef int page_set_fn(struct migration *m, struct region *region,
			uint64_t first, uint64_t pages, const uint64_t *words);
int page_set_send(struct migration *m, enum message_type type);
int page_set_receive(struct migration *m, enum message_type type,
		     const Straddle__PageSet *set, page_set_fn *take);
void page_set_reset(struct migration *m);
bool page_set_complete(const struct migration *m, enum message_type type);
int state_send(struct migration *m, int fd, bool ahead);
int state_receive(struct migration *m, const Straddle__State *state);
bool state_complete(const struct migration *m);
typedef int state_fn(struct guest *guest, int state_fd, struct fail *fail);
int state_hand(struct migration *m, state_fn *load, struct fail *fail);

/* load.c: what Finish does first */
int load_start(struct migration *m);
int load_fd(const struct migration *m);
int load_end(struct migration *m);
void load_cancel(struct migration *m);

/* rounds.c: pre-copy, and the decision how to finish */
enum finish_by { FINISH_BY_COPY, FINISH_BY_POSTCOPY };
int rounds_run(struct migration *m, enum finish_by *how);
bool round_decide(struct migration *m, enum finish_by *how);
bool rounds_timed_out(const struct migration *m);
int round_run(struct migration *m);


/* answer.c: the five answers, and asking until one comes */
int answer_send(struct migration *m, Straddle__AnswerKind kind,
		const char *reason);
int answer_wait(struct migration *m, Straddle__Answer **answer);
void answer_free(Straddle__Answer *answer);
bool proof_matches(const struct migration *m, const Straddle__Answer *answer,
		   struct fail *fail);

#endif
