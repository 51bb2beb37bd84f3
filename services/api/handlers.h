/* services/api/handlers.h - what the routes run: one file per resource, one worker's thread each.
 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "route.h"

handler health_read, config_read, jwks_read;                            /* site.c */
handler session_create, session_refresh, session_end;                   /* session.c */
handler me_read;                                                        /* me.c */
handler command_list, command_create, command_read_one, command_cancel; /* commands.c */
handler ticket_create;                                                  /* tickets.c */
handler vehicle_list, vehicle_read;                                     /* vehicles.c */
handler vehicle_create, vehicle_change, vehicle_retire;                 /* vehicle_change.c */
handler state_read;                                                     /* state.c */
handler history_read;                                                   /* history.c */
handler track_read;                                                     /* track.c */
handler enroll_create;                                                  /* enroll.c */
handler renew_create, car_config_read;                                  /* renew.c */

#endif
