import { trace } from '@opentelemetry/api'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Logger } from '../../src/core/logger.js'
import { shareServers } from '../support/hybrid/hybrid-stores.js'

const PHONE = '15550001234'
const { open } = shareServers()

describe('observability', () => {
  test('enableDetailedLogs writes a line for each operation, without the name of the session', async () => {
    const lines: { context: object; text: string }[] = []
    const debug = (context: object, text: string) => lines.push({ context, text })
    const logger: Logger = { debug, info() {}, warn() {}, error() {} }
    const store = await open({ security: { logger }, observability: { enableDetailedLogs: true } })
    await store.exists(PHONE)
    expect(lines).toHaveLength(1)
    expect(lines[0]?.context).toMatchObject({ operation: 'exists', status: 'ok' })
    expect(JSON.stringify(lines)).not.toContain(PHONE)
  })

  test('enableTracing makes a span for each operation, without the name of the session', async () => {
    const spans: { name: string; status?: unknown; isEnded?: boolean }[] = []
    const tracer = {
      startActiveSpan(name: string, run: (span: object) => unknown) {
        const span: (typeof spans)[number] = { name }
        spans.push(span)
        return run({
          setStatus: (status: unknown) => Object.assign(span, { status }),
          end: () => Object.assign(span, { isEnded: true }),
        })
      },
    }
    vi.spyOn(trace, 'getTracer').mockReturnValue(tracer as never)
    onTestFinished(() => void vi.restoreAllMocks())
    const store = await open({ observability: { enableTracing: true } })
    await store.exists(PHONE)
    await store.set(PHONE, { appState: { a: 1 } }, 99).catch(() => {})
    expect(spans).toEqual([
      { name: 'baileys-store exists', isEnded: true },
      { name: 'baileys-store set', status: { code: 2, message: 'VERSION_MISMATCH' }, isEnded: true },
    ])
  })

  test('enableTracing without its package warns, and the store works', async () => {
    vi.doMock('@opentelemetry/api', () => {
      throw new Error('Cannot find package')
    })
    onTestFinished(() => void vi.doUnmock('@opentelemetry/api'))
    const warnings: string[] = []
    const logger: Logger = { debug() {}, info() {}, error() {}, warn: (_, text) => warnings.push(text) }
    const store = await open({ security: { logger }, observability: { enableTracing: true } })
    expect(warnings).toContainEqual(expect.stringContaining('@opentelemetry/api'))
    expect(await store.exists('s')).toBe(false)
  })

  test('enableDebugLogging writes to the console, unless a logger is given', async () => {
    const debug = vi.spyOn(console, 'debug').mockImplementation(() => {})
    onTestFinished(() => void debug.mockRestore())
    const store = await open({
      security: { enableDebugLogging: true },
      observability: { enableDetailedLogs: true },
    })
    await store.exists('s')
    expect(debug).toHaveBeenCalledTimes(1)
  })
})
