/* Nothing: what libc and ld.so need by themselves. */
int main(void) {
    return 0;
}
