/* services/notify/gate.c - peers counted per client, and which upgrades are taken. */
#include "gate.h"

#include <string.h>

#include "lib/address.h"

bool gate_has_room(struct peers *peers, const char *trusted, lws_sockfd_type fd)
{
    char address[ADDRESS_HOST_MAX] = "";

    lws_get_peer_simple_fd(fd, address, sizeof address);
    return peers_has_room(peers, address_listed(trusted, address) ? "" : address);
}

void gate_enter(struct peers *peers, const char *trusted, struct lws *wsi)
{
    char address[ADDRESS_HOST_MAX] = "";

    lws_get_peer_simple(wsi, address, sizeof address);
    lws_set_opaque_user_data(wsi,
                             peers_enter(peers, address_listed(trusted, address) ? "" : address));
}

void gate_leave(struct peers *peers, struct lws *wsi)
{
    peers_leave(peers, lws_get_opaque_user_data(wsi));
    lws_set_opaque_user_data(wsi, NULL);
}

bool gate_client(struct peers *peers, const char *trusted, struct lws *wsi)
{
    char peer[ADDRESS_HOST_MAX] = "", client[ADDRESS_HOST_MAX], forwarded[2048] = "";

    lws_get_peer_simple(wsi, peer, sizeof peer);
    if (!address_listed(trusted, peer) ||
        lws_hdr_copy(wsi, forwarded, sizeof forwarded, WSI_TOKEN_X_FORWARDED_FOR) <= 0)
        return true;
    address_of_client(client, trusted, peer, forwarded);
    if (address_listed(trusted, client))
        return true;
    if (!peers_has_room(peers, client))
        return false;
    gate_leave(peers, wsi);
    lws_set_opaque_user_data(wsi, peers_enter(peers, client));
    return true;
}

int gate_upgrade(struct lws *wsi, char *name)
{
    if (lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE) <= 0)
        return -1; /* lws has refused it, and the headers are gone */
    if (!strcasecmp(name, "h2c"))
        name[0] = '-'; /* unknown by that name, it goes on as HTTP/1.1 (RFC 9110 7.8) */
    return 0;
}
