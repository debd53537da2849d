/*
 * The campaign folder: what lies where. docs/campaign.md describes each file.
 */
#ifndef SR_LAYOUT_H
#define SR_LAYOUT_H

#define SR_DIR_UNION       "union"         /* the dynamic set: what the stock binary made */
#define SR_DIR_CANDIDATES  "candidates"    /* --instrumented: what the instrumented one made */
#define SR_DIR_DB          "campaign.db"   /* series, discoveries, inputs, environment */
#define SR_DIR_CONF        "campaign.conf" /* what was asked for; --resume reads it */
#define SR_DIR_TARGET      "target"        /* a copy of the target file */
#define SR_DIR_BASE        "base.scn"      /* scenario lines that stand before every input */
#define SR_DIR_SEEDS       "seeds"         /* what afl-fuzz was given */
#define SR_DIR_AFL         "afl"           /* AFL++'s own folders */
#define SR_DIR_HOOK        "hook"          /* NAME.conf, NAME.inputs: one a forkserver */
#define SR_DIR_DISCOVERIES "discoveries"   /* a folder a call: evidence */
#define SR_DIR_FIXTURES    "fixtures" /* what the target's set-up script made: keys, accounts */
#define SR_DIR_LOG         "log"      /* what afl-fuzz printed */

/* Where things lie inside the sandbox. */
#define SR_BOX_OURS     "/run/sysreach" /* read-only, but for the campaign and the replay's folder */
#define SR_BOX_CAMPAIGN "/run/sysreach/campaign"
#define SR_BOX_LIB      "/run/sysreach/lib"
#define SR_BOX_SELF     "/run/sysreach/sysreach"
#define SR_BOX_OUT      "/run/sysreach/out"
#define SR_BOX_FIXTURES "/run/fixtures"
#define SR_BOX_SSHD     "/run/sshd" /* sshd wants it to be there, empty and root's */
#define SR_BOX_ROOT     "/tmp/w"    /* the top of each scenario's tree */

#endif
