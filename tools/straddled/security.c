/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* security.c - choose what is safe from what the host has keys for. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "security.h"
#include "sys.h"

#define PSK_FILE_MAKE	"make one with 'umask 077; echo straddle:$(openssl rand -hex 32) > " \
			"FILE' (mode 0600), and copy it to the other hosts"

/**
 * security_name() - as the job of a worker names it
 * @security: which
 *
 * Return: "none", "x509" or "psk".
 */
const char *security_name(enum security security)
{
	switch (security) {
	case SECURITY_X509:
		return "x509";
	case SECURITY_PSK:
		return "psk";
	default:
		return "none";
	}
}

static enum security security_wanted(const struct agent_options *options,
				     const struct credentials_paths *paths)
{
	if (!options->tls)
		return options->psk_file ? SECURITY_PSK :
		       credentials_found(paths) ? SECURITY_X509 : SECURITY_NONE;
	if (!strcmp(options->tls, "x509"))
		return SECURITY_X509;
	return strcmp(options->tls, "psk") ? SECURITY_NONE : SECURITY_PSK;
}

/* What is in it is for credentials_load() to judge. */
static int psk_file_check(const char *path, struct fail *fail)
{
	struct stat st;
	int ret;

	if (!path)
		return fail_set(fail, -EINVAL, "--tls psk needs --psk-file FILE; " PSK_FILE_MAKE);
	ret = sys_ret(stat(path, &st));
	if (!ret && !S_ISREG(st.st_mode))
		return fail_set(fail, -EINVAL, "--psk-file %s is no regular file; " PSK_FILE_MAKE,
				path);
	if (ret)
		return fail_set(fail, ret, "--psk-file %s: %s; " PSK_FILE_MAKE, path,
				strerror(-ret));
	return 0;
}

/* Can keys and names be used? Each worker has its own; here, only to say so now. */
static int security_try(enum security security, const struct credentials_paths *paths,
			const struct agent_options *options, struct fail *fail)
{
	struct credentials *credentials;
	size_t i;
	int ret;

	if (security == SECURITY_PSK) {
		ret = psk_file_check(paths->psk_file, fail);
		if (ret)
			return ret;
	}
	ret = credentials_load(security, paths, &credentials, fail);
	if (ret)
		return ret;
	for (i = 0; i < options->allow_peers_count && !ret; i++)
		ret = credentials_allow(credentials, options->allow_peers[i], fail);
	credentials_free(credentials);
	return ret;
}

static int listen_without_keys(const struct agent_options *options,
			       struct security_choice *choice, struct fail *fail)
{
	if (!options->listen) {
		log_notice("no TLS credentials in %s: on loopback only, other hosts cannot "
			   "connect; for them, set up certificates (--pki) or a key "
			   "(--psk-file)",
			   options->pki_dir ? options->pki_dir : "/etc/pki");
		return address_parse("127.0.0.1", &choice->listen, fail);
	}
	if (address_is_loopback(&choice->listen))
		return 0;
	if (!options->tls)
		return fail_set(fail, -EACCES, "--listen %s can be reached from other hosts, but "
				"there are no TLS credentials in %s: set up certificates (--pki "
				"DIR) or a key (--psk-file FILE), or give --tls off and guests' "
				"memory travels in clear", options->listen,
				options->pki_dir ? options->pki_dir : "/etc/pki");
	log_warning("--tls off on %s: guests' memory travels in clear, and whoever reaches "
		    "this address can send guests here", options->listen);
	return 0;
}

/**
 * security_choose() - what to speak and where to listen
 * @options: the command line
 * @choice: receives it; unspecified on error
 * @fail: says what is refused and what to do
 *
 * Without keys the agent listens on loopback only, and says so.
 *
 * Return: 0, -EACCES (not safe) or -errno.
 */
int security_choose(const struct agent_options *options, struct security_choice *choice,
		    struct fail *fail)
{
	struct credentials_paths paths = {
		.pki_dir = options->pki_dir,
		.psk_file = options->psk_file,
	};
	int ret;

	choice->security = security_wanted(options, &paths);
	choice->listen_any = false;
	ret = security_try(choice->security, &paths, options, fail);
	if (!ret && options->listen)
		ret = address_parse_own(options->listen, &choice->listen, fail);
	if (ret)
		return ret;
	if (choice->security == SECURITY_NONE)
		return listen_without_keys(options, choice, fail);
	if (options->listen)
		return 0;
	choice->listen_any = true;
	return address_parse("[::]:" STRADDLE_PORT, &choice->listen, fail);
}
