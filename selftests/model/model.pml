/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model.pml - who runs the guest, whatever fails: for spin.
 *
 * Two hosts, one guest, one migration A -> B; with -DHOME a second one back,
 * with -DAGAIN a second one there (with -DFROM_DONE after a first one of which
 * the source has not heard the end). model.c runs it with what may fail
 * (-DWORKERS=1, ...), and once with each defect (-DBUG_...), which has to be
 * found. Documentation/testing.rst says what it proves and what it takes for
 * granted.
 *
 * One process a side and migration: each option of its loop is one step that no
 * crash divides. What a crash leaves (journals, guests, pages) and what it takes
 * (workers, their lanes) are variables apart.
 */
#define A	0
#define B	1

/* How many failures there may be, and which are among them. */
#ifndef FAULTS
#define FAULTS		0
#endif
#ifndef WORKERS
#define WORKERS		0	/* a worker, or an agent with it, is killed */
#endif
#ifndef HOSTS
#define HOSTS		0	/* a host restarts: its guests are gone */
#endif
#ifndef DEADS
#define DEADS		0	/* a host is gone for good */
#endif
#ifndef JOURNALS
#define JOURNALS	0	/* a host's journal is empty afterwards */
#endif
#ifndef DROPS
#define DROPS		0	/* a message, or all lanes, are lost or come twice */
#endif
#ifndef DEATHS
#define DEATHS		0	/* the dest's guest process ends */
#endif
#ifndef FLIPS
#define FLIPS		0	/* what arrives is not what was sent */
#endif
#ifndef OUTSIDERS
#define OUTSIDERS	0	/* somebody resumes a paused copy by hand */
#endif

#ifndef FENCES
#define FENCES		0	/* how often an operator sees to the dest's host */
#endif
#ifndef PAGES
#define PAGES		1
#endif
#define ALL_PAGES	((1 << PAGES) - 1)

/* A second migration: back, or there again. */
#ifdef HOME
#define TWICE
#define SRC(i)		(i)
#define DST(i)		(1 - (i))
#else
#ifdef AGAIN
#define TWICE
#endif
#define SRC(i)		A
#define DST(i)		B
#endif
#ifdef TWICE
#define MIGRATIONS	2
#define OTHER(i)	(1 - (i))
#else
#define MIGRATIONS	1
#endif

#include "journal.pml"
#include "world.pml"
#include "pages.pml"
#include "source.pml"
#include "dest.pml"
#include "faults.pml"
#include "operator.pml"
#include "outcome.pml"

active proctype source_first() { source_loop(0) }
active proctype dest_first() { dest_loop(0) }
active proctype page_first() { page_loop(0, 1) }
#if PAGES > 1
active proctype page_second() { page_loop(0, 2) }
#endif
active proctype faults_first() { faults_loop(0) }
#ifdef OPERATOR
active proctype operator_first() { operator_loop(0) }
#endif
#ifdef TWICE
active proctype source_second() { source_loop(1) }
active proctype dest_second() { dest_loop(1) }
active proctype page_of_second() { page_loop(1, 1) }
active proctype faults_second() { faults_loop(1) }
#ifdef OPERATOR
active proctype operator_second() { operator_loop(1) }
#endif
#endif
#ifndef BAG
active proctype outcome() { outcome_see() }
#endif
