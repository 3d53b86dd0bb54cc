import { describeAuthState } from '../conformance/auth-state-suite.js'
import { createSqliteFile } from '../support/sqlite-database.js'

describeAuthState('SQLite', createSqliteFile)
