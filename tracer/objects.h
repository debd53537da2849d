/*
 * Which ELF objects a process maps executable: seen at mmap and at exec.
 */
#ifndef SR_OBJECTS_H
#define SR_OBJECTS_H

#include "recorder.h"

/* mmap of a file with PROT_EXEC: reports the file. */
void sr_objects_on_call(struct sr_recorder *r, const struct sr_stop *stop);

/* What is mapped already: after an exec the program and its interpreter. */
void sr_objects_mapped(struct sr_recorder *r, pid_t pid, unsigned image);

#endif
