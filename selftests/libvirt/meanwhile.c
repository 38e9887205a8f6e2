/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* meanwhile.c - what others see of a domain while it migrates. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "harness.h"
#include "journey.h"
#include "selftests/lib/inspect.h"
#include "sys.h"
#include "tools/net/netns.h"

#define ECHO_PORT	7
#define ECHO_BYTES	64
#define ECHO_MS		30000	/* the longest that an answer may take */
#define POSTCOPY	"\"live\":true,\"postcopy\":true,\"rounds_max\":1," \
			"\"downtime_ns\":1000"

FIXTURE(meanwhile) {
	struct journey journey;
};

FIXTURE_SETUP(meanwhile)
{
	const struct virt_options options = { .production = true };

	journey_up(&self->journey, &options);
}

FIXTURE_TEARDOWN(meanwhile)
{
	journey_down(&self->journey);
}

/* ---- one TCP connection ------------------------------------------------- */

struct talk {
	int fd;
	_Atomic bool over;
	_Atomic uint64_t answers;	/* all right */
	_Atomic uint64_t longest_ns;
};

/* In the client's network namespace; the socket stays there. */
static int echo_connect(void *arg)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(ECHO_PORT) };
	int ret, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, arg, &address.sin_addr);
	ret = sys_ret(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static void echo_once(struct talk *talk, uint64_t number)
{
	char asked[ECHO_BYTES], answered[ECHO_BYTES];
	uint64_t began_ns = now_ns(), took_ns;
	size_t got = 0;

	memset(asked, 0, sizeof(asked));
	snprintf(asked, sizeof(asked), "question %" PRIu64, number);
	ASSERT_EQ(0, sys_write_all(talk->fd, asked, sizeof(asked)));
	while (got < sizeof(answered)) {
		ssize_t part;

		ASSERT_EQ(0, sys_wait_fd(talk->fd, POLLIN, ECHO_MS));
		part = sys_retry(read(talk->fd, answered + got,
				      sizeof(answered) - got));
		ASSERT_LT(0, part);
		got += (size_t)part;
	}
	ASSERT_EQ(0, memcmp(asked, answered, sizeof(asked)));
	took_ns = now_ns() - began_ns;
	if (took_ns > talk->longest_ns)
		talk->longest_ns = took_ns;
	talk->answers++;
}

static void *talk_main(void *arg)
{
	struct talk *talk = arg;
	uint64_t number = 0;

	while (!talk->over)
		echo_once(talk, number++);
	return NULL;
}

static void expect_answers(struct talk *talk, uint64_t more)
{
	uint64_t goal = talk->answers + more;
	int left_ms;

	for (left_ms = ECHO_MS; left_ms > 0 && talk->answers < goal;
	     left_ms -= 10)
		poll(NULL, 0, 10);
	EXPECT_LE(goal, talk->answers);
}

TEST_F_TIMEOUT(meanwhile, a_connection_stays, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = { .mac = JOURNEY_MAC };
	struct journey *journey = &self->journey;
	struct talk talk = { .over = false };
	uint64_t before;
	pthread_t thread;
	int hop;

	journey_boot(journey, &domain, "straddle.ip=" JOURNEY_ADDRESS "/24");
	talk.fd = netns_run(journey->ground.virts->segment->client.netns,
			    echo_connect, JOURNEY_ADDRESS);
	ASSERT_LE(0, talk.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, talk_main, &talk));
	expect_answers(&talk, 10);
	for (hop = 0; hop < 2; hop++) {
		before = talk.answers;
		journey_move(journey, POSTCOPY);
		EXPECT_LT(before, talk.answers);
		expect_answers(&talk, 10);
		journey_arrived(journey, "running");
		journey_proves_itself(journey);
	}
	talk.over = true;
	pthread_join(thread, NULL);
	TH_LOG("%" PRIu64 " answers, the longest after %" PRIu64 " ms",
	       talk.answers, talk.longest_ns / 1000000);
	journey_proves_itself(journey);	/* its count is later than ours */
	EXPECT_LE(talk.answers, journey->beat.echo);
	close(talk.fd);
}

/* ---- a domain that stands still ----------------------------------------- */

static void expect_still(struct journey *journey)
{
	char text[4096] = "";

	journey_arrived(journey, "paused");
	/* Nothing in its log: it has written nothing since it is there. */
	EXPECT_EQ(0, domain_serial(journey->here, JOURNEY_GUEST, text,
				   sizeof(text)));
	EXPECT_STREQ("", text);
}

TEST_F_TIMEOUT(meanwhile, a_paused_domain_stays_paused, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = { .video = "vga" };
	struct journey *journey = &self->journey;

	journey_boot(journey, &domain, "");
	EXPECT_EQ(0, journey_virsh(journey->here, NULL, 0, "suspend",
				   JOURNEY_GUEST, NULL));
	journey_move(journey, POSTCOPY);
	expect_still(journey);
	journey_move(journey, POSTCOPY);
	expect_still(journey);
	journey_move(journey, "\"live\":true");
	expect_still(journey);
	EXPECT_EQ(0, journey_virsh(journey->here, NULL, 0, "resume",
				   JOURNEY_GUEST, NULL));
	journey_proves_itself(journey);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
