/*
 * How deep a scenario goes, from its text alone: nobody stands beside the program, somebody does,
 * or a real counterpart does (a word of the target's `session` line stands in a peer's command or
 * in an argument). Campaigns share out their time by it.
 */
#ifndef SYSREACH_DEPTH_H
#define SYSREACH_DEPTH_H

enum sr_depth { SR_DEPTH_ALONE, SR_DEPTH_LINK, SR_DEPTH_SESSION, SR_DEPTHS };

const char *sr_depth_name(enum sr_depth d); /* "alone", "link", "session" */

#endif
