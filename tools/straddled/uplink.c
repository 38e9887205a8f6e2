/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uplink.c - follow the links that migrations use.
 *
 * A host's name is looked up by a thread of its own, since that may take the
 * resolver's time; the thread knows nothing but the name and a pipe.
 */
#include <json-c/json.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "protocol/address.h"
#include "sys.h"
#include "tools/net/net.h"
#include "uplink.h"
#include "workers.h"

struct uplinks {
	struct agent *agent;
	struct net *net;
	struct net_watch *watch;
	sd_event_source *source;
};

struct lookup {
	struct address address;
	int answer;		/* write end of the pipe */
};

/* It waits no longer than it has to, nor tries what cannot be. */
static void worker_tell_link(struct worker *worker)
{
	struct json_object *packet = json_object_new_object();

	json_object_object_add(packet, "do", json_object_new_string("link"));
	json_object_object_add(packet, "up", json_object_new_boolean(worker->uplink.up));
	(void)worker_tell(worker, packet, -1);
}

static void link_changed(void *arg, const struct net_event *news)
{
	bool up = !news->gone && news->up && news->carrier;
	struct uplinks *uplinks = arg;
	struct worker *worker;

	for (worker = uplinks->agent->workers; worker; worker = worker->next) {
		struct uplink *uplink = &worker->uplink;

		if (uplink->index != news->index || uplink->up == up)
			continue;
		uplink->up = up;
		if (!up)
			log_warning("link %s, which migration %s of guest '%s' uses, is down",
				    uplink->name, worker->id, worker_about(worker));
		worker_tell_link(worker);
	}
}

static int links_changed(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct uplinks *uplinks = arg;
	int ret = net_watch_dispatch(uplinks->watch);

	(void)source;
	(void)fd;
	(void)revents;
	if (ret)
		log_warning("news of links were lost: %s", strerror(-ret));
	return 0;
}

static void uplinks_free(struct uplinks *uplinks)
{
	sd_event_source_disable_unref(uplinks->source);
	net_watch_destroy(uplinks->watch);
	net_close(uplinks->net);
	free(uplinks);
}

/**
 * uplinks_create() - begin to follow this host's links
 * @agent: goes on without where it cannot be done: migrations need it not
 */
void uplinks_create(struct agent *agent)
{
	struct uplinks *uplinks = calloc(1, sizeof(*uplinks));
	struct fail fail = { 0 };
	int ret;

	if (!uplinks)
		return;
	uplinks->agent = agent;
	ret = net_open(&uplinks->net, &fail);
	if (!ret)
		ret = net_watch_create(&uplinks->watch, -1, link_changed, uplinks, &fail);
	if (!ret)
		ret = sd_event_add_io(agent->event, &uplinks->source,
				      net_watch_fd(uplinks->watch), EPOLLIN, links_changed,
				      uplinks);
	if (ret < 0) {
		log_warning("no state of links is shown: %s",
			    fail.err ? fail.text : strerror(-ret));
		uplinks_free(uplinks);
		return;
	}
	agent->uplinks = uplinks;
}

/**
 * uplinks_destroy() - undo uplinks_create()
 * @agent: of this host
 */
void uplinks_destroy(struct agent *agent)
{
	if (agent->uplinks)
		uplinks_free(agent->uplinks);
	agent->uplinks = NULL;
}

/**
 * uplink_init() - a link that is not known
 * @uplink: what to set up
 */
void uplink_init(struct uplink *uplink)
{
	*uplink = (struct uplink){ .answer = -1 };
}

/**
 * uplink_fini() - stop to follow it
 * @uplink: unknown from then on
 */
void uplink_fini(struct uplink *uplink)
{
	sd_event_source_disable_unref(uplink->source);
	if (uplink->answer >= 0)
		close(uplink->answer);
	uplink_init(uplink);
}

/* It stays unknown where there is none. */
static void uplink_to_address(struct uplink *uplink, struct agent *agent,
			      const struct sockaddr *address)
{
	struct net_link link;
	struct fail fail = { 0 };

	if (!agent->uplinks)
		return;
	if (net_link_toward(agent->uplinks->net, address, &link, &fail)) {
		log_info("%s", fail.text);
		return;
	}
	uplink->index = link.index;
	memcpy(uplink->name, link.name, sizeof(uplink->name));
	uplink->up = link.up && link.carrier;
	uplink->speed_mbit = net_link_rate(&link) / 1000000;
}

/**
 * uplink_to_peer() - find and follow the link toward who has connected
 * @uplink: stays unknown where there is none
 * @agent: of this host
 * @from: address_print()'s
 */
void uplink_to_peer(struct uplink *uplink, struct agent *agent, const char *from)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	}, *list;
	struct address address;

	if (address_parse(from, &address, NULL) ||
	    getaddrinfo(address.host, address.port, &hints, &list))
		return;
	uplink_to_address(uplink, agent, list->ai_addr);
	freeaddrinfo(list);
}

/* All of the address or nothing: it is smaller than PIPE_BUF. */
static void *lookup_run(void *arg)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	struct sockaddr_storage found = { .ss_family = AF_UNSPEC };
	struct lookup *lookup = arg;

	if (!getaddrinfo(lookup->address.host, lookup->address.port, &hints, &list)) {
		memcpy(&found, list->ai_addr, list->ai_addrlen);
		freeaddrinfo(list);
		(void)sys_write_all(lookup->answer, &found, sizeof(found));
	}
	close(lookup->answer);
	free(lookup);
	return NULL;
}

static int lookup_answered(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct uplink *uplink = arg;
	struct agent *agent = uplink->agent;
	struct sockaddr_storage found;
	int ret = sys_read_all(fd, &found, sizeof(found));

	(void)source;
	(void)revents;
	uplink_fini(uplink);
	if (!ret)
		uplink_to_address(uplink, agent, (struct sockaddr *)&found);
	return 0;
}

static int lookup_start(struct lookup *lookup)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret = -pthread_attr_init(&attr);

	if (ret)
		return ret;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = -pthread_create(&thread, &attr, lookup_run, lookup);
	pthread_attr_destroy(&attr);
	if (!ret)
		pthread_setname_np(thread, "agent-lookup");
	return ret;
}

/**
 * uplink_to_host() - find and follow the link toward a host
 * @uplink: becomes known when the host's address is
 * @agent: of this host
 * @host: HOST[:PORT], a name or an address
 */
void uplink_to_host(struct uplink *uplink, struct agent *agent, const char *host)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	int pair[2];

	if (!lookup)
		return;
	if (!agent->uplinks || address_parse(host, &lookup->address, NULL) ||
	    sys_ret(pipe2(pair, O_CLOEXEC))) {
		free(lookup);
		return;
	}
	uplink->agent = agent;
	uplink->answer = pair[0];
	lookup->answer = pair[1];
	if (sd_event_add_io(agent->event, &uplink->source, pair[0], EPOLLIN, lookup_answered,
			    uplink) >= 0 && !lookup_start(lookup))
		return;
	close(pair[1]);
	free(lookup);
	uplink_fini(uplink);
}

/**
 * uplink_to_json() - a link for progress and status
 * @uplink: which
 *
 * Return: a new object, the caller's; NULL, which is JSON's null: not known.
 */
struct json_object *uplink_to_json(const struct uplink *uplink)
{
	struct json_object *object;

	if (!uplink->index)
		return NULL;
	object = json_object_new_object();
	json_object_object_add(object, "name", json_object_new_string(uplink->name));
	json_object_object_add(object, "speed_mbit",
			       json_object_new_uint64(uplink->speed_mbit));
	json_object_object_add(object, "up", json_object_new_boolean(uplink->up));
	return object;
}
