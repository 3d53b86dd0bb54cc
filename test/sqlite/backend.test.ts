import { describeBackend } from '../conformance/backend-suite.js'
import { createSqliteFile } from '../support/sqlite-database.js'

describeBackend('SQLite', createSqliteFile)
