/* services/api/handlers.h - what the routes run: one file per resource, one worker's thread each.
 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "route.h"

handler health_read, config_read, jwks_read;                            /* site.c */
handler session_create, session_refresh, session_end;                   /* session.c */
handler me_read;                                                        /* me.c */
handler command_list, command_create, command_read_one, command_cancel; /* commands.c */
handler trip_list, stop_list;                                           /* trips.c */
handler event_list, diagnostics_read;                                   /* events.c */
handler alert_list, alert_read, alert_acknowledge, alert_clear;         /* alerts.c */
handler alert_comment, alert_assign;                                    /* alerts.c */
handler resource_list, resource_read, resource_create;                  /* resource.c */
handler resource_change, resource_delete;                               /* resource.c */
handler service_list, service_create, meter_read, meter_enter;          /* upkeep.c */
handler loss_read;                                                      /* loss.c */
handler audit_list;                                                     /* audits.c */
handler feed_read;                                                      /* feed.c */
handler statistics_read;                                                /* statistics.c */
handler ticket_create;                                                  /* tickets.c */
handler vehicle_list, vehicle_read;                                     /* vehicles.c */
handler vehicle_create, vehicle_change, vehicle_retire;                 /* vehicle_change.c */
handler watch_set;                                                      /* watch.c */
handler state_read;                                                     /* state.c */
handler history_read;                                                   /* history.c */
handler track_read;                                                     /* track.c */
handler enroll_create;                                                  /* enroll.c */
handler renew_create, car_config_read;                                  /* renew.c */

#endif
