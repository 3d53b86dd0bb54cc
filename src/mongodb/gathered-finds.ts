import { isBadBson } from './mongo-errors.js'

/** Most finds under way. Reads beyond it wait in order, not in the driver's queue, where their time would run out. */
const MAX_UNDER_WAY = 8
/** Most reads and names of one find, unless a single read has more names. */
const MAX_READS = 100
const MAX_NAMES = 1000

export type NamedDocument = Readonly<{ _id: string }>

interface Read {
  readonly names: readonly string[]
  readonly resolve: (found: NamedDocument[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * Finds documents by their names. Reads asked for in the same tick, or while the most finds are under way, share one
 * command, and a document that several of them ask for: readers only look at it.
 */
export class GatheredFinds {
  readonly #find: (names: readonly string[]) => Promise<NamedDocument[]>
  readonly #waiting: Read[] = []
  #underWay = 0
  #isScheduled = false

  /** `find`: one command. Returns the documents in the order of their names. */
  constructor(find: (names: readonly string[]) => Promise<NamedDocument[]>) {
    this.#find = find
  }

  find(names: readonly string[]): Promise<NamedDocument[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ names, resolve, reject })
      if (this.#isScheduled) return
      this.#isScheduled = true
      queueMicrotask(() => {
        this.#isScheduled = false
        this.#sendWaiting()
      })
    })
  }

  #sendWaiting(): void {
    while (this.#underWay < MAX_UNDER_WAY && this.#waiting.length > 0) {
      this.#underWay++
      this.#send(takeTogether(this.#waiting)).finally(() => {
        this.#underWay--
        this.#sendWaiting()
      })
    }
  }

  async #send(reads: readonly Read[]): Promise<void> {
    try {
      const found = await this.#find([...new Set(reads.flatMap(({ names }) => names))])
      const byName = new Map(found.map(document => [document._id, document]))
      for (const { names, resolve } of reads) resolve(names.flatMap(name => byName.get(name) ?? []))
    } catch (error) {
      // The driver does not tell which document it cannot read; the other reads must not fail by it.
      if (reads.length > 1 && isBadBson(error)) await Promise.all(reads.map(read => this.#send([read])))
      else for (const { reject } of reads) reject(error)
    }
  }
}

/** Takes the first read from the queue, and those behind it that fit into the same command. */
function takeTogether(queue: Read[]): Read[] {
  let count = 0
  for (let names = 0; count < Math.min(queue.length, MAX_READS); count++) {
    names += queue[count]?.names.length ?? 0
    if (count > 0 && names > MAX_NAMES) break
  }
  return queue.splice(0, count)
}
