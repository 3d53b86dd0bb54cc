import { describeStoredBytes } from '../conformance/auth-store/stored-bytes.js'
import { createSqliteFile } from '../support/sqlite-database.js'
import { toPlace } from '../support/stored-bytes/elsewhere.js'
import { sqliteMembers } from '../support/stored-bytes/sqlite-members.js'

const create = async () => {
  const file = await createSqliteFile()
  return toPlace(file, sqliteMembers(file.path))
}
describeStoredBytes('SQLite', create, 30)
