/* The library of copied.c. */
struct ops {
    int (*go[2])(void);
};
extern const struct ops library_ops;
