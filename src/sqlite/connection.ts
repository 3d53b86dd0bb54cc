import { setTimeout as sleep } from 'node:timers/promises'
import { ClosedError, StoreError } from '../core/errors.js'
import { SessionMemory } from '../core/store/session-memory.js'
import type { SqliteDatabase } from './driver.js'
import { type Fate, type Place, toLoss } from './place.js'
import { isBusy, toStoreError } from './sqlite-errors.js'
import { prepareStatements, type Statements } from './statements.js'

/** Writes of one transaction at the most, so that a burst does not hold the event loop or the lock for long. */
const MAX_BATCH = 256
/** Longest wait before the lock of another process is tried for again; the wait has full jitter. */
const MAX_BUSY_DELAY_MS = 15

/** Databases whose files are no longer at their path. Kept, since a collected one is closed. */
const abandoned = new Set<object>()
/** Of those that had lost a file beside them: within a process SQLite would use what they have of it once more. */
const cutOff = new Set<string | undefined>()

/** Throws for a file that this process cannot open a second time. */
export function assertWhole({ identity }: Place): void {
  if (identity !== undefined && cutOff.has(identity)) throw toLoss('cut off')
}

interface Job {
  readonly run: (statements: Statements) => unknown
  readonly deadlineMs: number
  readonly resolve: (value: never) => void
  readonly reject: (error: StoreError) => void
}

/** `place`: `undefined` where there is no file. */
export interface OpenDatabase {
  readonly database: SqliteDatabase
  readonly place: Place | undefined
}

/**
 * One database handle and the queue of its writes. Writes that are asked for together share one transaction
 * (group commit), and so one flush to the disk; each is acknowledged after it, and after a look at whether the file is
 * still the one at its path. A file that was put in its place is opened: what was lost is then a rewind.
 */
export class SqliteConnection {
  /** What the process knows of the sessions in this file, whichever store it learnt it through. */
  readonly memory = new SessionMemory()
  readonly #reopen: (() => OpenDatabase) | undefined
  #open: OpenDatabase
  #statements: Statements
  readonly #queue: Job[] = []
  #flushing: Promise<void> | undefined
  /** Writes at the front of the queue whose batch has failed. */
  #alone = 0
  #isClosed = false

  /** `reopen`: by default what was put in its place is not opened, and that is an error. */
  constructor(open: OpenDatabase, reopen?: () => OpenDatabase) {
    this.#open = open
    this.#reopen = reopen
    this.#statements = prepareStatements(open.database)
  }

  /** One consistent state of the file. */
  read<T>(run: (statements: Statements) => T): T {
    this.#assertOpen()
    try {
      if (this.#open.place?.isThere === false) this.#recover()
      const { database } = this.#open
      database.exec('BEGIN')
      try {
        return run(this.#statements)
      } finally {
        database.exec('COMMIT')
      }
    } catch (error) {
      throw toStoreError(error)
    }
  }

  /**
   * Runs `run` inside a write transaction, again if that has failed for the whole batch. It must check before it
   * writes: what it throws as a `StoreError` refuses this write alone. After anything else the writes of its batch are
   * tried one by one, so that it fails no other. After `busyTimeoutMs` without the lock it is dropped.
   */
  async write<T>(busyTimeoutMs: number, run: (statements: Statements) => T): Promise<T> {
    this.#assertOpen()
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run, deadlineMs: performance.now() + busyTimeoutMs, resolve, reject })
      this.#flushing ??= this.#flush()
    })
  }

  /** Waits for the writes under way and refuses what comes after; the database stays open. */
  async release(): Promise<void> {
    this.#isClosed = true
    await this.#flushing
  }

  /** The same, and closes the database. */
  async close(): Promise<void> {
    await this.release()
    try {
      this.#closeFile()
    } catch (error) {
      throw toStoreError(error)
    }
  }

  #closeFile(): void {
    const { database, place } = this.#open
    if (this.#look() !== 'there') {
      if (place?.mayCheckpoint) checkpoint(database)
      this.#abandon()
      return
    }
    try {
      // libsql closes a file only when the statements on it are collected: until then all is to be in the file itself.
      checkpoint(database)
    } finally {
      database.close()
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new ClosedError('The SQLite connection')
  }

  async #flush(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, this.#alone > 0 ? 1 : MAX_BATCH)
      this.#alone = Math.max(0, this.#alone - 1)
      const lockError = this.#commit(batch)
      if (lockError === undefined) continue
      this.#queue.unshift(...rejectOverdue(batch, lockError))
      await sleep(Math.random() * MAX_BUSY_DELAY_MS)
    }
    this.#flushing = undefined
  }

  /** Settles the jobs of the batch, unless another process has the lock: then nothing is done and it is said why. */
  #commit(batch: readonly Job[]): unknown {
    try {
      this.#recover()
      this.#open.database.exec('BEGIN IMMEDIATE')
    } catch (error) {
      if (isBusy(error)) return error
      rejectAll(batch, error)
      return undefined
    }
    try {
      const acknowledgements = batch.map(job => runJob(job, this.#statements))
      this.#open.database.exec('COMMIT')
      this.#open.place?.noteLog()
      this.#assertThere()
      for (const acknowledge of acknowledgements) acknowledge()
    } catch (error) {
      this.#rollBack()
      if (batch.length === 1) rejectAll(batch, error)
      else this.#tryAlone(batch)
    }
    return undefined
  }

  /** A write to a file that has been taken away meanwhile is not acknowledged. */
  #assertThere(): void {
    const fate = this.#look()
    if (fate !== 'there') throw toLoss(fate)
  }

  #look(): Fate {
    return this.#open.place?.look() ?? 'there'
  }

  /** Opens the file that was put in the place of the open one; throws where there is none. */
  #recover(): void {
    const fate = this.#look()
    if (fate === 'there') return
    // What is in the log alone is saved, and would be played into the other file, whose log it is by its name.
    const isSaved = fate !== 'gone' && this.#open.place?.mayCheckpoint === true
    if (isSaved) {
      checkpoint(this.#open.database)
      this.#open.place?.noteLog()
    }
    if (fate !== 'replaced' || this.#reopen === undefined || !isSaved) throw toLoss(fate)
    const next = this.#reopen()
    this.#abandon()
    this.#open = next
    this.#statements = prepareStatements(next.database)
  }

  /** To close it would bring its log, which is another file's by now, into it, and delete that. */
  #abandon(): void {
    abandoned.add({ ...this.#open, statements: this.#statements })
    if (this.#look() === 'cut off') cutOff.add(this.#open.place?.identity)
  }

  #tryAlone(batch: readonly Job[]): void {
    this.#alone = batch.length
    this.#queue.unshift(...batch)
  }

  #rollBack(): void {
    try {
      this.#open.database.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself, as it does after some errors.
    }
  }
}

function checkpoint(database: SqliteDatabase): void {
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
}

/** Returns how to acknowledge the job once the transaction is on the disk. */
function runJob(job: Job, statements: Statements): () => void {
  try {
    const value = job.run(statements)
    return () => job.resolve(value as never)
  } catch (error) {
    if (error instanceof StoreError) return () => job.reject(error)
    throw error
  }
}

function rejectAll(jobs: readonly Job[], cause: unknown): void {
  for (const job of jobs) job.reject(toStoreError(cause))
}

/** Returns the jobs that may wait longer. */
function rejectOverdue(jobs: readonly Job[], cause: unknown): Job[] {
  const nowMs = performance.now()
  rejectAll(
    jobs.filter(job => job.deadlineMs <= nowMs),
    cause,
  )
  return jobs.filter(job => job.deadlineMs > nowMs)
}
