/* lib/mqtt_socket.c - Paho (up to 1.3.14) neither sets TCP_NODELAY nor says which socket is its
 * own, so those of this process that lead to the broker's port are looked for, once a connection.
 */
#include "lib/mqtt_inside.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool leads_to(int fd, long port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
    socklen_t len = sizeof peer;

    if (getpeername(fd, &peer.any, &len) != 0)
        return false; /* most of them are no sockets at all */
    if (peer.any.sa_family == AF_INET)
        return ntohs(peer.v4.sin_port) == port;
    return peer.any.sa_family == AF_INET6 && ntohs(peer.v6.sin6_port) == port;
}

void mqtt_send_at_once(const char *broker)
{
    long port = strtol(strrchr(broker, ':') + 1, NULL, 10);
    DIR *fds = opendir("/proc/self/fd");
    struct dirent *entry;

    while (fds && (entry = readdir(fds)) != NULL) {
        int fd = (int)strtol(entry->d_name, NULL, 10), on = 1; /* "." and ".." are 0: no harm */

        if (leads_to(fd, port))
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (fds)
        closedir(fds);
}
