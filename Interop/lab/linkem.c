// linkem: one link between two network namespaces, with delay, jitter, loss, a bounded rate and a bounded queue in each direction.
//
//   linkem NAMESPACE_A NAMESPACE_B DEVICE [--delay MS] [--jitter MS] [--loss PERCENT] [--rate MBIT] [--queue PACKETS] [--seed N]
//         [--report SECONDS]
//
// It stands in for netem where the kernel has none. Each end is a TUN device called DEVICE in its namespace (as under
// /run/netns): IP packets, no Ethernet, so that no ARP or neighbour discovery is lost and every loss is a packet's. The caller
// brings the devices up and gives them addresses once the line {"event": "up"} is out. The devices last as long as the process.
//
// SIGUSR1 pulls the cable: everything is dropped. SIGUSR2 plugs it in again. SIGTERM, SIGINT and the end of standard input end
// the process; its last line counts what went each way:
//
//   {"event": "counts", "a_to_b": {"packets": 1, "bytes": 1, "lost": 0, "overflowed": 0, "cut": 0}, "b_to_a": {...}}
//
// With --report the same comes every so many seconds, as {"event": "traffic", "seconds": 1.5, ...}: by the clock CLOCK_MONOTONIC.
//
// Packets of one direction never overtake each other, with jitter neither: TCP would take that for loss.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAXIMUM_PACKET = 9216, PACKETS_PER_TURN = 64 };

struct packet {
    double due;
    int length;
    unsigned char bytes[MAXIMUM_PACKET];
};

// One direction: a ring of packets in the order in which they leave.
struct direction {
    struct packet *ring;
    int head, count;
    double line_free;  // when the last bit of the packet before has gone out
    double last_due;
    unsigned long packets, bytes, lost, overflowed, cut;
};

struct link {
    double delay, jitter, loss, bytes_per_second;  // seconds; share of packets; 0 is without bound
    double report, next_report;  // seconds; 0 is never
    int queue;
    bool is_cut;
    uint64_t random;
    struct direction directions[2];
};

static void fail(const char *what) {
    fprintf(stderr, "linkem: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

// SplitMix64: the same seed loses the same packets of the same traffic.
static double dice(struct link *link) {
    uint64_t word = link->random += UINT64_C(0x9e3779b97f4a7c15);
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((word ^ (word >> 31)) >> 11) / 9007199254740992.0;
}

// A device is made in the namespace in which the process is at that moment.
static int open_device(const char *namespace, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    int home = open(path, O_RDONLY | O_CLOEXEC);
    if (home < 0) fail(path);
    if (setns(home, CLONE_NEWNET) < 0) fail("setns");
    close(home);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (device < 0) fail("/dev/net/tun");
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    if (ioctl(device, TUNSETIFF, &request) < 0) fail("TUNSETIFF");
    return device;
}

static void take(struct link *link, struct direction *way, const unsigned char *bytes, int length) {
    if (link->is_cut) {
        way->cut++;
        return;
    }
    if (dice(link) < link->loss) {
        way->lost++;
        return;
    }
    if (way->count == link->queue) {
        way->overflowed++;
        return;
    }
    double leaves = now();
    if (link->bytes_per_second > 0) {
        leaves = fmax(leaves, way->line_free) + length / link->bytes_per_second;
        way->line_free = leaves;
    }
    double due = leaves + link->delay + (link->jitter > 0 ? dice(link) * link->jitter : 0);
    way->last_due = fmax(due, way->last_due);
    struct packet *packet = &way->ring[(way->head + way->count++) % link->queue];
    packet->due = way->last_due;
    packet->length = length;
    memcpy(packet->bytes, bytes, (size_t)length);
}

static void deliver(struct link *link, struct direction *way, int device) {
    double time = now();
    while (way->count > 0 && way->ring[way->head].due <= time) {
        struct packet *packet = &way->ring[way->head];
        // What is on its way when the cable is pulled doesn't arrive either.
        if (link->is_cut) {
            way->cut++;
        } else if (write(device, packet->bytes, (size_t)packet->length) == packet->length) {
            way->packets++;
            way->bytes += (unsigned long)packet->length;
        } else {
            way->overflowed++;  // the kernel has no room, or the device is down
        }
        way->head = (way->head + 1) % link->queue;
        way->count--;
    }
}

static void set_timer(const struct link *link, int timer) {
    double next = link->report > 0 ? link->next_report : INFINITY;
    for (int i = 0; i < 2; i++) {
        const struct direction *way = &link->directions[i];
        if (way->count > 0) next = fmin(next, way->ring[way->head].due);
    }
    struct itimerspec setting;
    memset(&setting, 0, sizeof setting);
    if (isfinite(next)) {
        setting.it_value.tv_sec = (time_t)next;
        setting.it_value.tv_nsec = (long)((next - floor(next)) * 1e9);
        // Zero would switch the timer off.
        if (setting.it_value.tv_sec == 0 && setting.it_value.tv_nsec == 0) setting.it_value.tv_nsec = 1;
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &setting, NULL);
}

static void print_counts(const struct link *link, const char *event) {
    static const char *const names[2] = {"a_to_b", "b_to_a"};
    printf("{\"event\": \"%s\", \"seconds\": %.6f", event, now());
    for (int i = 0; i < 2; i++) {
        const struct direction *way = &link->directions[i];
        printf(", \"%s\": {\"packets\": %lu, \"bytes\": %lu, \"lost\": %lu, \"overflowed\": %lu, \"cut\": %lu}", names[i],
               way->packets, way->bytes, way->lost, way->overflowed, way->cut);
    }
    printf("}\n");
    fflush(stdout);
}

static void report_when_due(struct link *link) {
    if (link->report <= 0 || now() < link->next_report) return;
    print_counts(link, "traffic");
    link->next_report = now() + link->report;
}

static double number(const char *text, double least, double most) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || !(value >= least && value <= most)) {
        fprintf(stderr, "linkem: '%s' is not a number from %g to %g\n", text, least, most);
        exit(2);
    }
    return value;
}

static void read_options(struct link *link, int count, char **arguments) {
    for (int i = 0; i + 1 < count; i += 2) {
        const char *name = arguments[i], *value = arguments[i + 1];
        if (strcmp(name, "--delay") == 0) link->delay = number(value, 0, 60e3) / 1e3;
        else if (strcmp(name, "--jitter") == 0) link->jitter = number(value, 0, 60e3) / 1e3;
        else if (strcmp(name, "--loss") == 0) link->loss = number(value, 0, 100) / 100;
        else if (strcmp(name, "--rate") == 0) link->bytes_per_second = number(value, 0, 1e5) * 1e6 / 8;
        else if (strcmp(name, "--queue") == 0) link->queue = (int)number(value, 1, 1e5);
        else if (strcmp(name, "--report") == 0) link->report = number(value, 0, 3600);
        else if (strcmp(name, "--seed") == 0) link->random = (uint64_t)number(value, 0, 9e15);
        else {
            fprintf(stderr, "linkem: unknown option %s\n", name);
            exit(2);
        }
    }
}

// Returns false when the process is to end.
static bool obey(struct link *link, int signals, bool has_input_ended) {
    struct signalfd_siginfo signal;
    while (read(signals, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGUSR1) link->is_cut = true;
        else if (signal.ssi_signo == SIGUSR2) link->is_cut = false;
        else return false;
    }
    char ignored[256];
    // Input without an end keeps nothing up; its end is the end of whoever started this.
    return !(has_input_ended && read(STDIN_FILENO, ignored, sizeof ignored) == 0);
}

int main(int count, char **arguments) {
    if (count < 4 || (count - 4) % 2 != 0) {
        fprintf(stderr, "usage: linkem NAMESPACE_A NAMESPACE_B DEVICE [--delay MS] [--jitter MS] [--loss PERCENT] "
                        "[--rate MBIT] [--queue PACKETS] [--seed N] [--report SECONDS]\n");
        return 2;
    }
    struct link link = {.queue = 4000, .random = 1};
    read_options(&link, count - 4, arguments + 4);
    for (int i = 0; i < 2; i++) {
        link.directions[i].ring = calloc((size_t)link.queue, sizeof(struct packet));
        if (link.directions[i].ring == NULL) fail("memory for the queue");
    }
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < 4; i++) sigaddset(&set, (int[]){SIGUSR1, SIGUSR2, SIGTERM, SIGINT}[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (signals < 0 || timer < 0) fail("signalfd or timerfd");
    int devices[2] = {open_device(arguments[1], arguments[3]), open_device(arguments[2], arguments[3])};
    printf("{\"event\": \"up\"}\n");
    fflush(stdout);

    for (;;) {
        set_timer(&link, timer);
        struct pollfd files[5] = {{devices[0], POLLIN, 0}, {devices[1], POLLIN, 0}, {timer, POLLIN, 0},
                                  {signals, POLLIN, 0},    {STDIN_FILENO, POLLIN, 0}};
        if (poll(files, 5, -1) < 0 && errno != EINTR) fail("poll");
        if (!obey(&link, signals, files[4].revents != 0)) break;
        uint64_t expirations;
        if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) fail("timer");
        report_when_due(&link);
        for (int i = 0; i < 2; i++) {
            static unsigned char bytes[MAXIMUM_PACKET];
            for (int turn = 0; turn < PACKETS_PER_TURN; turn++) {
                ssize_t length = read(devices[i], bytes, sizeof bytes);
                if (length <= 0) break;
                take(&link, &link.directions[i], bytes, (int)length);
            }
            deliver(&link, &link.directions[i], devices[1 - i]);
        }
    }
    print_counts(&link, "counts");
    return 0;
}
