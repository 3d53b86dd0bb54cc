/** What a queue is told of a write: where it lies, and nothing of what is in it. */
export interface OutboxJob {
  /** Of the entry: `<session>:<version>`. */
  id: string
  sessionId: string
  version: number
}

/** A queue of one's own, like BullMQ or Kafka. Its worker hands each job to `processOutboxJob`. */
export interface QueueAdapter {
  /** Resolves once the queue has the job. The same `jobId` twice may be one job. */
  add(jobName: string, data: OutboxJob, options?: { jobId?: string }): Promise<unknown>
  /** Called once the last store that was given it closes. */
  close(): Promise<void>
}

/** The name of every job. */
export const OUTBOX_JOB = 'baileys-store-outbox'
