const { StoreError } = require('@luoarch/baileys-store-core')
const { useSqliteAuthState } = require('@luoarch/baileys-store-core/sqlite')

useSqliteAuthState({ sessionId: '', sqlite: { path: 'x' } }).catch(error => {
  process.stdout.write(JSON.stringify([error.code, error instanceof StoreError]))
})
