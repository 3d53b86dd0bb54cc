import { setTimeout as sleep } from 'node:timers/promises'
import { ClosedError, StoreError, StoreUnavailableError } from '../core/errors.js'
import type { KnownSituation } from '../core/server-link.js'
import { SessionMemory } from '../core/store/session-memory.js'
import type { SqliteDatabase } from './driver.js'
import type { Fate, Place } from './place.js'
import { isBusy, toStoreError } from './sqlite-errors.js'
import { prepareStatements, type Statements } from './statements.js'

/** Most writes of one transaction, so that a burst does not hold the event loop or the lock for long. */
const MAX_BATCH = 256
/** The longest wait before the next try for another process's lock; the wait has full jitter. */
const MAX_BUSY_DELAY_MS = 15

/** Databases whose files are no longer at their path. Kept here, since a database is closed when it is collected. */
const abandoned = new Set<object>()
/**
 * Identities of abandoned databases that had lost a file beside them, or part of one: within a process, SQLite would reuse what it
 * holds of them.
 */
const cutOff = new Set<string | undefined>()

/** Throws for a file that this process must not open a second time. */
export function assertWhole(place: Place): void {
  if (place.identity !== undefined && cutOff.has(place.identity)) throw place.toLoss('cut off')
}

interface Job {
  readonly run: (statements: Statements) => unknown
  readonly deadlineMs: number
  readonly resolve: (value: never) => void
  readonly reject: (error: StoreError) => void
}

/** `place`: `undefined` without a file. */
export interface OpenDatabase {
  readonly database: SqliteDatabase
  readonly place: Place | undefined
}

/**
 * One database handle and the queue of its writes. Writes asked for together share one transaction (group commit), and
 * so one flush to the disk. Each is acknowledged after the flush, and after a check that the file is still the one at
 * its path. If another file is there instead, the connection opens it; lost writes are then a rewind.
 */
export class SqliteConnection implements KnownSituation {
  /** What the process knows of the sessions in this file, through any store. */
  readonly memory = new SessionMemory()
  readonly #reopen: (() => OpenDatabase) | undefined
  #open: OpenDatabase
  #statements: Statements
  readonly #queue: Job[] = []
  #flushing: Promise<void> | undefined
  /** The number of writes at the front of the queue whose batch has failed: they run one by one. */
  #alone = 0
  #isClosed = false
  /** Another process has the lock: writes wait for it. */
  #lockError: unknown

  /** `reopen`: opens a file put in the place of the open one. Default: such a file is an error. */
  constructor(open: OpenDatabase, reopen?: () => OpenDatabase) {
    this.#open = open
    this.#reopen = reopen
    this.#statements = prepareStatements(open.database)
  }

  /** What writes wait for, which the error of one that has waited in vain tells. */
  get situation(): string | undefined {
    const error = this.#lockError === undefined ? undefined : this.#toError(this.#lockError)
    return error instanceof StoreUnavailableError ? error.situation : undefined
  }

  get cause(): unknown {
    return this.#lockError
  }

  /** Reads one consistent state of the file. */
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
      throw this.#toError(error)
    }
  }

  /**
   * Runs `run` inside a write transaction, and again if the whole batch has failed. `run` must check before it writes:
   * a `StoreError` that it throws refuses this write alone. After any other error, the writes of the batch run one by
   * one, so that it fails no other write. After `busyTimeoutMs` without the lock, the write fails.
   */
  async write<T>(busyTimeoutMs: number, run: (statements: Statements) => T): Promise<T> {
    this.#assertOpen()
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run, deadlineMs: performance.now() + busyTimeoutMs, resolve, reject })
      this.#flushing ??= this.#flush()
    })
  }

  /** Waits for the writes under way and refuses later ones. The database stays open. */
  async release(): Promise<void> {
    this.#isClosed = true
    await this.#flushing
  }

  /** Same as `release`, and closes the database. */
  async close(): Promise<void> {
    await this.release()
    try {
      this.#closeFile()
    } catch (error) {
      throw this.#toError(error)
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
      // libsql closes a file only when its statements are collected. Until then, everything must be in the file itself.
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
      this.#lockError = this.#commit(batch)
      if (this.#lockError === undefined) continue
      this.#queue.unshift(...this.#rejectOverdue(batch, this.#lockError))
      await sleep(Math.random() * MAX_BUSY_DELAY_MS)
    }
    this.#flushing = undefined
  }

  /** Settles the jobs of the batch. If another process has the lock, does nothing and returns the error. */
  #commit(batch: readonly Job[]): unknown {
    try {
      this.#recover()
      this.#open.database.exec('BEGIN IMMEDIATE')
    } catch (error) {
      if (isBusy(error)) return error
      this.#rejectAll(batch, error)
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
      if (batch.length === 1) this.#rejectAll(batch, error)
      else this.#tryAlone(batch)
    }
    return undefined
  }

  /** Keeps a write from being acknowledged if its file was removed meanwhile. */
  #assertThere(): void {
    const { place } = this.#open
    const fate = this.#look()
    if (place && fate !== 'there') throw place.toLoss(fate)
  }

  #look(): Fate {
    return this.#open.place?.look() ?? 'there'
  }

  /** Opens the file that is in the place of the open one; throws if there is none. */
  #recover(): void {
    const { place } = this.#open
    const fate = this.#look()
    if (place === undefined || fate === 'there') return
    // Saves what only the log holds: it would otherwise be played into the other file, which has the same log by name.
    const isSaved = fate !== 'gone' && place.mayCheckpoint
    if (isSaved) {
      checkpoint(this.#open.database)
      place.noteLog()
    }
    if (fate !== 'replaced' || this.#reopen === undefined || !isSaved) throw place.toLoss(fate)
    const next = this.#reopen()
    this.#abandon()
    this.#open = next
    this.#statements = prepareStatements(next.database)
  }

  /**
   * Does not close the database: closing would write the log, which now belongs to another file, into it and delete it.
   */
  #abandon(): void {
    abandoned.add({ ...this.#open, statements: this.#statements })
    if (['cut off', 'cut'].includes(this.#look())) cutOff.add(this.#open.place?.identity)
  }

  #toError(cause: unknown): StoreError {
    return toStoreError(cause, this.#open.place?.name)
  }

  #rejectAll(jobs: readonly Job[], cause: unknown): void {
    for (const job of jobs) job.reject(this.#toError(cause))
  }

  /** Returns the jobs that may wait longer. */
  #rejectOverdue(jobs: readonly Job[], cause: unknown): Job[] {
    const nowMs = performance.now()
    const overdue = jobs.filter(job => job.deadlineMs <= nowMs)
    this.#rejectAll(overdue, cause)
    return jobs.filter(job => job.deadlineMs > nowMs)
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

/** Returns a function that acknowledges the job once the transaction is on the disk. */
function runJob(job: Job, statements: Statements): () => void {
  try {
    const value = job.run(statements)
    return () => job.resolve(value as never)
  } catch (error) {
    if (error instanceof StoreError) return () => job.reject(error)
    throw error
  }
}
