import { once } from 'node:events'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { SqliteOptions } from '../../src/sqlite/index.js'
import { makeLogger } from '../support/logger.js'

const KEY = 'ab'.repeat(32)
const CODE = { code: 'BAILEYS_STORE_PLAINTEXT' }

/** As in a process that has not opened a store yet. */
beforeEach(() => vi.resetModules())

async function open(options: Omit<SqliteOptions, 'path'>): Promise<void> {
  const { createSqliteStore } = await import('../../src/sqlite/index.js')
  const store = await createSqliteStore({ path: ':memory:', ...options })
  await store.close()
}

describe('a store that is not encrypted', () => {
  test('says so once a process, by the logger', async () => {
    const { logger, lines } = makeLogger()
    await open({ security: { logger } })
    await open({ security: { logger } })
    expect(lines).toEqual([['warn', CODE, expect.stringContaining('is not encrypted')]])
  })

  test('says so as a warning of Node where there is no logger', async () => {
    const warned = once(process, 'warning')
    await open({})
    const [warning] = await warned
    expect(warning).toMatchObject(CODE)
    expect(warning.message).toContain('openssl rand -hex 32')
  })

  test('tells of a master key that was given and is undefined', async () => {
    const { logger, lines } = makeLogger()
    await open({ masterKey: undefined, security: { logger } })
    expect(lines).toEqual([['warn', CODE, expect.stringContaining('"masterKey" is undefined')]])
  })

  test.each([{ masterKey: undefined }, { masterKeys: undefined }])(
    'is refused in production where the key that was given is undefined: %o',
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
  ])('is not warned of where it is encrypted, or that is not wanted: %#', async options => {
    const { logger, lines } = makeLogger()
    await open({ ...options, security: { ...options.security, logger } })
    expect(lines).toEqual([])
  })
})
