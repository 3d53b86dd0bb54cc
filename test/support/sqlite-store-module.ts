import { createSqliteStore, type SqliteOptions } from '../../src/sqlite/index.js'

/** How another process opens the store. */
export default (options: SqliteOptions) => createSqliteStore(options)
