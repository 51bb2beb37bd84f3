export function check(bundle: object, folder: string): void
