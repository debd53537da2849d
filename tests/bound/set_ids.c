/* Changes of ids, which libc does in every thread: the number travels in a struct. */
#include <sys/types.h>
#include <unistd.h>

int main(void) {
    return setuid(getuid()) || setgid(getgid()) || setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1);
}
