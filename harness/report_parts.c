/*
 * The parts of a report that are about processes and effort: what the program's own filter refused,
 * roles, inputs by depth, who ran it, and why a call of the reference was not observed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "report.h"

#define WIDTH 78

void sr_report_put_names(FILE *to, const struct sr_set *set, int indent) {
    struct sr_names *names = malloc(sizeof *names);
    int column = indent;

    if (!names)
        return;
    sr_names_of(set, names);
    fprintf(to, "%*s", indent, "");
    for (size_t i = 0; i < names->n; i++) {
        int n = (int)strlen(names->name[i]);

        if (column > indent && column + n + 1 > WIDTH) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
        }
        fprintf(to, "%s%s", column > indent ? " " : "", names->name[i]);
        column += n + (column > indent);
    }
    fputc('\n', to);
    free(names);
}

/* "no role" stands last. */
static int by_name(const void *a, const void *b) {
    const char *x = ((const struct sr_report_role *)a)->name,
               *y = ((const struct sr_report_role *)b)->name;

    if (!*x || !*y)
        return !*x - !*y;
    return strcmp(x, y);
}

size_t sr_report_roles(const struct sr_report *r, unsigned slot,
                       struct sr_report_role out[SR_ROLES_MAX]) {
    size_t n = 0;

    for (unsigned i = 0; i < SR_ROLES_MAX; i++) {
        const char *name = sr_union_role_name(r->u, i);

        if (name && r->u->roles[i].image == slot)
            out[n++] = (struct sr_report_role){.name = name, .role = &r->u->roles[i]};
    }
    for (size_t i = 0; i < n; i++) {
        out[i].only = out[i].role->calls;
        for (size_t k = 0; k < n; k++)
            if (k != i)
                out[i].only = sr_set_minus(&out[i].only, &out[k].role->calls);
    }
    qsort(out, n, sizeof *out, by_name);
    return n;
}

void sr_report_put_roles(const struct sr_report *r, unsigned slot, FILE *to) {
    struct sr_report_role *roles = calloc(SR_ROLES_MAX, sizeof *roles);
    size_t n = roles ? sr_report_roles(r, slot, roles) : 0;

    if (n)
        fprintf(to, "\n  %-24s %10s %6s %8s  %s\n", "role (after start-up)", "processes", "calls",
                "refused", "calls that only this role made");
    for (size_t i = 0; i < n; i++) {
        unsigned only = sr_set_count(&roles[i].only);

        fprintf(to, "  %-24s %10" PRIu64 " %6u %8u  %u\n",
                *roles[i].name ? roles[i].name : "no role", roles[i].role->processes,
                sr_set_count(&roles[i].role->calls), sr_set_count(&roles[i].role->attempted), only);
        if (only)
            sr_report_put_names(to, &roles[i].only, 8);
        if (sr_set_count(&roles[i].role->attempted)) {
            fputs("      refused:\n", to);
            sr_report_put_names(to, &roles[i].role->attempted, 8);
        }
    }
    free(roles);
}

void sr_report_put_role_names(const struct sr_report *r, unsigned slot, struct sr_call call,
                              FILE *to) {
    unsigned n = 0;

    for (unsigned i = 0; i < SR_ROLES_MAX; i++) {
        const char *name = sr_union_role_name(r->u, i);

        if (name && r->u->roles[i].image == slot && sr_set_has(&r->u->roles[i].calls, call))
            fprintf(to, "%s%s", n++ ? ", " : "  roles          ", *name ? name : "no role");
    }
    if (n)
        fputc('\n', to);
}

bool sr_report_depth(const struct sr_report *r, enum sr_depth d, struct sr_report_depth *out) {
    uint64_t all = 0;

    for (int i = 0; i < SR_DEPTHS; i++)
        all += r->sum.depth_us[i];
    *out = (struct sr_report_depth){.inputs = r->sum.depth_inputs[d]};
    out->seconds = (double)r->sum.depth_us[d] / 1e6;
    out->share = all ? (double)r->sum.depth_us[d] / (double)all : 0;
    out->rate = out->seconds > 0 ? (double)out->inputs / out->seconds : 0;
    return out->inputs != 0;
}

void sr_report_put_depths(const struct sr_report *r, const char *label, FILE *to) {
    struct sr_report_depth depth;
    int n = 0;

    for (int i = 0; i < SR_DEPTHS; i++)
        n += sr_report_depth(r, (enum sr_depth)i, &depth);
    for (int i = 0; i < SR_DEPTHS && n > 1; i++)
        if (sr_report_depth(r, (enum sr_depth)i, &depth)) {
            fprintf(to, "%s%-8s %9" PRIu64 " inputs, %5.1f %% of the time, %.1f/s\n", label,
                    sr_depth_name((enum sr_depth)i), depth.inputs, 100 * depth.share, depth.rate);
        }
}

const char *sr_report_reason(const struct sr_report *r, struct sr_call call) {
    const struct sr_report_gap *gap;

    if (!sr_call_known(call))
        return "no call of this system's table";
    if (!r->bound || !r->bound->computed)
        return NULL;
    gap = sr_report_bound_gap(r->bound, call);
    if (gap)
        return gap->in_tight ? "in this build's tight bound; no input led to it"
                             : "only in this build's sound bound";
    return sr_bound_closed(&r->bound->view[SR_POLICY_SOUND])
               ? "not in this build's bound"
               : "not in this build's bound, which is not closed";
}

static void take_user(void *arg, const char *key, const char *value) {
    char **user = arg;

    if (strcmp(key, "user") == 0 && !*user)
        *user = strdup(value);
}

/* Wrapped, behind the label. */
static void put_words(FILE *to, char *text) {
    int column = fprintf(to, "run by      ");
    char *rest = NULL;

    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (column + 1 + (int)strlen(word) > WIDTH)
            column = fprintf(to, "\n            ") - 1;
        column += fprintf(to, " %s", word);
    }
    fputs("\n             (another user, or other capabilities, reach other sets)\n", to);
}

void sr_report_put_user(const struct sr_report *r, FILE *to) {
    char *user = NULL;

    if (r->store)
        sr_store_each_environment(r->store, take_user, &user);
    if (user)
        put_words(to, user);
    free(user);
}
