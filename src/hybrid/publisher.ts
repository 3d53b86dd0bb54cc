import type { Logger } from '../core/logger.js'
import { maskSessionId, maskText } from '../core/masking.js'
import type { Metrics } from '../core/metrics.js'
import { singleAttempt, withRetry } from '../core/retry.js'
import type { OutboxRelay } from './outbox-relay.js'
import { OUTBOX_JOB, type OutboxJob, type QueueAdapter } from './queue.js'
import type { PendingWrite } from './session/pending-write.js'

/** Most characters logged of a foreign error. */
const MAX_TEXT = 300
/** The number of open publishers of each queue. */
const users = new WeakMap<QueueAdapter, number>()

export interface PublisherParts {
  relay: OutboxRelay
  queue: QueueAdapter | undefined
  logger: Logger
  metrics: Metrics
}

/**
 * Sends a write, which no caller waits for, on its way to MongoDB: by the queue if there is one, else by this process.
 */
export class Publisher {
  readonly #relay: OutboxRelay
  readonly #queue: QueueAdapter | undefined
  readonly #logger: Logger
  readonly #metrics: Metrics

  constructor({ relay, queue, logger, metrics }: PublisherParts) {
    this.#relay = relay
    this.#queue = queue
    this.#logger = logger
    this.#metrics = metrics
    if (queue) users.set(queue, (users.get(queue) ?? 0) + 1)
  }

  publish(sessionId: string, { version }: PendingWrite): void {
    if (this.#queue === undefined) {
      this.#relay.schedule(sessionId)
      return
    }
    this.#relay.scheduleLater() // in case the queue loses the job
    addJob(this.#queue, { id: `${sessionId}:${version}`, sessionId, version }).then(
      () => this.#metrics.count('queue_publishes'),
      error => {
        this.#metrics.count('queue_failures')
        const about = { sessionId: maskSessionId(sessionId), error: describe(error) }
        this.#logger.warn(about, 'the queue has not taken a write; this process brings it to MongoDB')
        this.#relay.schedule(sessionId)
      },
    )
  }

  /** Closes the queue unless another store uses it. Logs its error: the outbox still has the writes. */
  async close(timeoutMs: number): Promise<void> {
    const queue = this.#queue
    if (queue === undefined) return
    const others = (users.get(queue) ?? 1) - 1
    users.set(queue, others)
    if (others > 0) return
    const attempt = { operation: 'the closing of a queue' }
    await withRetry(singleAttempt(timeoutMs), attempt, async () => queue.close()).catch(error => {
      this.#logger.warn({ error: describe(error) }, 'the queue was not closed')
    })
  }
}

/** A queue may quote the job, whose id contains the session's. */
function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : typeof error
  return maskText(text).slice(0, MAX_TEXT)
}

/** `async` turns a synchronous throw into a rejection. */
async function addJob(queue: QueueAdapter, job: OutboxJob): Promise<void> {
  const jobId = `${encodeURIComponent(job.sessionId)}.${job.version}` // BullMQ refuses a colon
  await queue.add(OUTBOX_JOB, job, { jobId })
}
