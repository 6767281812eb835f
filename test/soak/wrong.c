/* test/soak/wrong.c - what the instruments must report: wrong race | leak. Proof that a silent instrument
 * looked. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *count(void *arg)
{
    int *n = arg;
    for (int k = 0; k < 1000; k++)
        ++*n;
    return NULL;
}

static int race(void)
{
    static int n;
    pthread_t a, b;
    if (pthread_create(&a, NULL, count, &n) || pthread_create(&b, NULL, count, &n))
        return 2;
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    return 0;
}

static int leak(void)
{
    char *volatile lost = malloc(100);
    if (!lost)
        return 2;
    memset(lost, 1, 100);
    lost = NULL;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    return strcmp(argv[1], "race") == 0 ? race() : leak();
}
