// MapLibre runs its worker from a file of our own origin: told before the first map is made.
import { setWorkerUrl } from 'maplibre-gl'
import address from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url'

setWorkerUrl(address)
