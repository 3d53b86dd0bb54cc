/** A job of the queue: tells where a write waits, without its values. */
export interface OutboxJob {
  /** The id of the outbox entry: `<session>:<version>`. */
  id: string
  sessionId: string
  version: number
}

/** Your own queue, such as BullMQ or Kafka. Its worker passes each job to `processOutboxJob`. */
export interface QueueAdapter {
  /** Resolves once the queue has the job. The queue may merge jobs with the same `jobId`. */
  add(jobName: string, data: OutboxJob, options?: { jobId?: string }): Promise<unknown>
  /** Called when the last store that uses the queue closes. */
  close(): Promise<void>
}

/** The name of every job. */
export const OUTBOX_JOB = 'baileys-store-outbox'
