import { maskSessionId } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import type { Metrics } from '../core/metrics.js'
import type { OutboxApplier } from './outbox-applier.js'
import type { PendingWrite } from './pending-write.js'
import { OUTBOX_JOB, type QueueAdapter } from './queue.js'

export interface PublisherParts {
  applier: OutboxApplier
  queue: QueueAdapter | undefined
  logger: Logger
  metrics: Metrics
}

/** Gets a write that nobody waits for on its way to MongoDB: by the queue that was given, else by this process. */
export class Publisher {
  readonly #applier: OutboxApplier
  readonly #queue: QueueAdapter | undefined
  readonly #logger: Logger
  readonly #metrics: Metrics

  constructor({ applier, queue, logger, metrics }: PublisherParts) {
    this.#applier = applier
    this.#queue = queue
    this.#logger = logger
    this.#metrics = metrics
  }

  publish(sessionId: string, { version }: PendingWrite): void {
    if (this.#queue === undefined) {
      this.#applier.schedule(sessionId)
      return
    }
    this.#applier.scheduleLater() // in case that the queue loses it
    const id = `${sessionId}:${version}`
    const jobId = `${encodeURIComponent(sessionId)}.${version}` // BullMQ takes no colon in it
    this.#queue.add(OUTBOX_JOB, { id, sessionId, version }, { jobId }).then(
      () => this.#metrics.count('queue_publishes'),
      error => {
        this.#metrics.count('queue_failures')
        const about = { sessionId: maskSessionId(sessionId), error: (error as Error).name }
        this.#logger.warn(about, 'the queue has not taken a write; this process brings it to MongoDB')
        this.#applier.schedule(sessionId)
      },
    )
  }

  async close(): Promise<void> {
    await this.#queue?.close()
  }
}
