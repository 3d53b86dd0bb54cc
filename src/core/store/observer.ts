import type { Span, Tracer } from '@opentelemetry/api'
import { hasCode, MissingDependencyError, type StoreErrorCode } from '../errors.js'
import { type Logger, nullLogger } from '../logger.js'
import { maskSessionId } from '../masking.js'
import { type Metrics, NO_METRICS, type Status } from '../metrics.js'
import { quietly } from '../quietly.js'

export interface ObserverParts {
  metrics: Metrics
  logger: Logger
  /** Log every operation. */
  isDetailed: boolean
  tracer: Tracer | undefined
}

/** Measures, traces and logs the operations of a store. Changes no result. */
export class Observer {
  readonly metrics: Metrics
  readonly #logger: Logger
  readonly #isDetailed: boolean
  readonly #tracer: Tracer | undefined

  constructor({ metrics, logger, isDetailed, tracer }: ObserverParts) {
    this.metrics = metrics
    this.#logger = logger
    this.#isDetailed = isDetailed
    this.#tracer = tracer
  }

  run<T>(operation: string, sessionId: string | undefined, call: () => Promise<T>): Promise<T> {
    if (this.#tracer === undefined) return this.#measure(operation, sessionId, call)
    const tracer = this.#tracer
    let result: Promise<T> | undefined
    quietly(() =>
      tracer.startActiveSpan(`baileys-store ${operation}`, span => {
        result = this.#trace(span, operation, sessionId, call)
      }),
    )
    return result ?? this.#measure(operation, sessionId, call)
  }

  async #trace<T>(
    span: Span,
    operation: string,
    sessionId: string | undefined,
    call: () => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#measure(operation, sessionId, call)
    } catch (error) {
      const { code = 'UNKNOWN' } = error as { code?: string }
      quietly(() => span.setStatus({ code: ERROR_STATUS, message: code }))
      throw error
    } finally {
      quietly(() => span.end())
    }
  }

  async #measure<T>(operation: string, sessionId: string | undefined, call: () => Promise<T>): Promise<T> {
    const beganMs = performance.now()
    let status: Status = 'error'
    try {
      const result = await call()
      status = 'ok'
      return result
    } catch (error) {
      if (hasCode(error, 'VERSION_MISMATCH')) this.metrics.count('version_conflicts')
      if (hasCode(error, 'FENCED')) this.metrics.count('ownership_lost')
      if (REFUSALS.some(code => hasCode(error, code))) status = 'refused'
      throw error
    } finally {
      const ms = performance.now() - beganMs
      this.metrics.observe('store', operation, status, ms)
      if (this.#isDetailed) {
        const session = sessionId === undefined ? undefined : maskSessionId(sessionId)
        this.#logger.debug(
          { operation, session, ms: Math.round(ms * 100) / 100, status },
          'an operation ended',
        )
      }
    }
  }
}

/** Refusals of a store that works. */
const REFUSALS: readonly StoreErrorCode[] = ['VERSION_MISMATCH', 'FENCED', 'SESSION_LOCKED']
/** `SpanStatusCode.ERROR`, without loading the package. */
const ERROR_STATUS = 2

export const NO_OBSERVER = new Observer({
  metrics: NO_METRICS,
  logger: nullLogger,
  isDetailed: false,
  tracer: undefined,
})

/** `undefined`, with a warning, if the package is not installed: a bot works without spans. */
export async function createTracer(logger: Logger): Promise<Tracer | undefined> {
  try {
    const { trace } = await import('@opentelemetry/api')
    return trace.getTracer('@luoarch/baileys-store-core')
  } catch (cause) {
    const { message } = new MissingDependencyError(
      '@opentelemetry/api',
      '"observability.enableTracing"',
      cause,
    )
    logger.warn({}, message)
    return undefined
  }
}
