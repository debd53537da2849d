/* Ways to a child: fork, vfork, posix_spawn, system. */
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    char *none[] = {(char *)"true", NULL};
    pid_t p;

    (void)argv;
    if (argc == 1 && fork() == 0)
        _exit(0);
    if (argc == 2 && (p = vfork()) == 0)
        _exit(0);
    if (argc == 3)
        posix_spawn(&p, "/bin/true", NULL, NULL, none, environ);
    if (argc == 4)
        return system(":");
    return wait(NULL) < 0;
}
