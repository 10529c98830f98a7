import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('../../shared/data/', import.meta.url)

/** True where the recorded market data lies beside the checkout. It is not part of the project; tests that need it skip. */
export const hasSharedData = existsSync(root)

if (!hasSharedData) console.warn(`SKIPPED: tests on recorded data, because ${fileURLToPath(root)} does not exist`)

/** Path of one recorded file. */
export function sharedData(name: string): string {
  return fileURLToPath(new URL(name, root))
}
