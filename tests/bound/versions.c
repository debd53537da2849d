/* Two versions of one symbol: the program is linked with the new one, with -DOLD the old one. */
#ifdef OLD
__asm__(".symver work, work@V1");
#endif
int work(void);

int main(void) {
    return work() == -9999;
}
