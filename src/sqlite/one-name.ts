import { readFileSync, statSync } from 'node:fs'
import { InvalidOptionError } from '../core/errors.js'
import { maskText } from '../core/masking.js'

/** Of Linux: the mounts that this process sees. The fifth column is the place. */
const MOUNTS = '/proc/self/mountinfo'
const PLACE_COLUMN = 4

/**
 * Refuses a file whose log would not stay with it: SQLite finds the log by the file's name. A process that opens a hard
 * link has a log of its own, and each of the two logs overwrites what the other one wrote ("How To Corrupt An SQLite
 * Database File", 2.5, on sqlite.org). A file that is mounted by itself, as into a container, leaves its log behind in the
 * folder around it.
 */
export function assertOneName(file: string, option: 'path' | 'database'): void {
  const { nlink } = statSync(file)
  if (nlink > 1) {
    throw refuse(
      option,
      file,
      `has ${nlink} names (hard links): SQLite would keep a log beside each. Delete the others, or copy the file instead.`,
    )
  }
  if (isMount(file)) {
    throw refuse(
      option,
      file,
      'is mounted by itself: its log would stay outside, and go with the container. Mount the folder that it is in.',
    )
  }
}

function isMount(file: string): boolean {
  try {
    const lines = readFileSync(MOUNTS, 'utf8').split('\n')
    return lines.some(line => fromOctal(line.split(' ')[PLACE_COLUMN] ?? '') === file)
  } catch {
    return false // another system, or a process that may not look
  }
}

/** Spaces and the like are in octal there. */
function fromOctal(place: string): string {
  return place.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
}

function refuse(option: string, file: string, why: string): InvalidOptionError {
  return new InvalidOptionError(
    `"sqlite.${option}" must be a file that can keep its log, and "${maskText(file)}" ${why}`,
  )
}
