import type { Role } from '../api/types'

const CHANGE: readonly Role[] = ['owner', 'admin', 'dispatcher']

/** Whether to offer changing vehicles. The site decides; this only hides what it would refuse. */
export function mayChange(role: Role | undefined): boolean {
  return role !== undefined && CHANGE.includes(role)
}
