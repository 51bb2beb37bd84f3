import type { Place } from './basemap'
import { metres } from './features'

const FARTHEST_KM = 60

/** The nearest place we know, for telling a position in words. */
export function nearest(
  places: readonly Place[],
  lon: number,
  lat: number,
  language: string,
): { name: string; km: number } | undefined {
  let best: Place | undefined
  let bestKm = FARTHEST_KM
  for (const place of places) {
    if (Math.abs(place[1] - lat) > 1 || Math.abs(place[0] - lon) > 2) continue
    const km = metres([lon, lat], [place[0], place[1]]) / 1000
    if (km < bestKm) {
      best = place
      bestKm = km
    }
  }
  if (!best) return undefined
  return { name: (language === 'en' ? best[5] : best[4]) || best[3], km: bestKm }
}
