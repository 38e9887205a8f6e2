// SPDX-License-Identifier: LGPL-2.1-or-later
/* console.c - a device with state: it migrates with the vCPUs. */
#include "tools/vmm/console.h"

/**
 * console_init() - an empty console
 * @console: filled
 */
void console_init(struct console *console)
{
	pthread_mutex_init(&console->lock, NULL);
	console->written = 0;
}

/**
 * console_put() - the guest wrote a byte
 * @console: the console
 * @byte: kept as it is, but NUL is dropped
 */
void console_put(struct console *console, char byte)
{
	if (!byte)
		return;
	pthread_mutex_lock(&console->lock);
	console->ring[console->written++ % CONSOLE_SIZE] = byte;
	pthread_mutex_unlock(&console->lock);
}

/**
 * console_read() - what is kept, oldest byte first
 * @console: the console
 * @text: receives up to CONSOLE_SIZE bytes, no NUL
 *
 * Return: the number of bytes.
 */
size_t console_read(struct console *console, char *text)
{
	uint64_t start;
	size_t size;

	pthread_mutex_lock(&console->lock);
	size = console->written < CONSOLE_SIZE ? console->written :
						 CONSOLE_SIZE;
	start = console->written - size;
	for (size_t i = 0; i < size; i++)
		text[i] = console->ring[(start + i) % CONSOLE_SIZE];
	pthread_mutex_unlock(&console->lock);
	return size;
}

/**
 * console_replace() - become what another console was
 * @console: the console
 * @text: up to CONSOLE_SIZE bytes
 * @size: how many
 */
void console_replace(struct console *console, const char *text, size_t size)
{
	pthread_mutex_lock(&console->lock);
	console->written = 0;
	for (size_t i = 0; i < size; i++)
		console->ring[console->written++ % CONSOLE_SIZE] = text[i];
	pthread_mutex_unlock(&console->lock);
}
