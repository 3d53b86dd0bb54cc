import { describeAuthStore } from '../conformance/auth-store-suite.js'
import { createSqliteFile } from '../support/sqlite-database.js'

describeAuthStore('SQLite', createSqliteFile)
