import { StoreError } from '@luoarch/baileys-store-core'
import { useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'

const error = await useSqliteAuthState({ sessionId: '', sqlite: { path: 'x' } }).catch(thrown => thrown)
process.stdout.write(JSON.stringify([error.code, error instanceof StoreError]))
