import { useSyncExternalStore } from 'react'
import { session } from '../sites/session'

export function useSession() {
  return useSyncExternalStore(session.subscribe, session.snapshot)
}
