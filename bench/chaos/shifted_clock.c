/* Moves the wall clock of the process that it is preloaded into, by the nanoseconds that a mapped file of 8 bytes says.
 *
 * The file is named by SHIFTED_CLOCK and may change at any time. Steady clocks are left alone, as a clock that is set
 * leaves them alone. Waits until a moment of the wall clock are handed to the kernel by its own clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define YEAR_2001 1000000000L /* what is below is no moment of a wall clock, but of a steady one */

static const int64_t none = 0;
static const volatile int64_t *shift = &none;

__attribute__((constructor)) static void map_the_file(void)
{
    const char *name = getenv("SHIFTED_CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *found = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (found != MAP_FAILED)
        shift = found;
}

static struct timespec moved(struct timespec at, int64_t by)
{
    int64_t ns = at.tv_sec * SECOND + at.tv_nsec + by;
    return (struct timespec){ns / SECOND, ns % SECOND};
}

static struct timespec wall(void)
{
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    return moved(now, *shift);
}

int clock_gettime(clockid_t which, struct timespec *into)
{
    if (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE)
        return (int)syscall(SYS_clock_gettime, which, into);
    *into = wall();
    return 0;
}

int gettimeofday(struct timeval *restrict into, void *restrict zone)
{
    (void)zone;
    struct timespec now = wall();
    *into = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *into)
{
    time_t now = wall().tv_sec;
    if (into)
        *into = now;
    return now;
}

static struct timespec unmoved(const struct timespec *until)
{
    return until->tv_sec < YEAR_2001 ? *until : moved(*until, -*shift);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *) = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec at = unmoved(until);
    return real(cond, mutex, &at);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    int (*real)(sem_t *, const struct timespec *) = dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec at = unmoved(until);
    return real(semaphore, &at);
}
