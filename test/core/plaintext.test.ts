import { once } from 'node:events'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { SqliteOptions } from '../../src/sqlite/index.js'
import { makeLogger } from '../support/logger.js'

const KEY = 'ab'.repeat(32)
const CODE = { code: 'BAILEYS_STORE_PLAINTEXT' }

/** The state of a process that has not opened a store yet. */
beforeEach(() => vi.resetModules())

async function open(options: Omit<SqliteOptions, 'path'>): Promise<void> {
  const { createSqliteStore } = await import('../../src/sqlite/index.js')
  const store = await createSqliteStore({ path: ':memory:', ...options })
  await store.close()
}

describe('a store that is not encrypted', () => {
  test('warns once in a process, through the logger', async () => {
    const { logger, lines } = makeLogger()
    await open({ security: { logger } })
    await open({ security: { logger } })
    expect(lines).toEqual([['warn', CODE, expect.stringContaining('is not encrypted')]])
  })

  test('warns through a warning of Node when there is no logger', async () => {
    const warned = once(process, 'warning')
    await open({})
    const [warning] = await warned
    expect(warning).toMatchObject(CODE)
    expect(warning.message).toContain('openssl rand -hex 32')
  })

  test('reports a master key that was given as undefined', async () => {
    const { logger, lines } = makeLogger()
    await open({ masterKey: undefined, security: { logger } })
    expect(lines).toEqual([['warn', CODE, expect.stringContaining('"masterKey" is undefined')]])
  })

  test.each([{ masterKey: undefined }, { masterKeys: undefined }])(
    'is refused in production when the key was given as undefined: %o',
    async keys => {
      const { logger, lines } = makeLogger()
      const opening = open({ ...keys, security: { environment: 'production', logger } })
      await expect(opening).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(/"masterKeys?" is undefined/),
      })
      expect(lines).toEqual([])
    },
  )

  test.each([
    { masterKey: KEY },
    { security: { enableEncryption: false } },
    { masterKey: undefined, security: { enableEncryption: false, environment: 'production' as const } },
  ])('causes no warning if it is encrypted after all, or if plaintext is wanted: %#', async options => {
    const { logger, lines } = makeLogger()
    await open({ ...options, security: { ...options.security, logger } })
    expect(lines).toEqual([])
  })
})
