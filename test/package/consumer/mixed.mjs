// A store of the CommonJS build under the hook of the ESM build: their error classes differ.
import { createRequire } from 'node:module'
import { useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'

const { createSqliteStore } = createRequire(import.meta.url)('@luoarch/baileys-store-core/sqlite')
const store = await createSqliteStore({ path: ':memory:' })
let lost
const { state } = await useSqliteAuthState({
  sessionId: 's',
  store,
  onOwnershipLost: error => (lost = error.code),
})
await store.claim('s')
const refused = await state.keys.set({ 'lid-mapping': { a: '1' } }).catch(error => error.code)
process.stdout.write(JSON.stringify({ refused, lost }))
