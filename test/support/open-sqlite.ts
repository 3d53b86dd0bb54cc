import { createSqliteStore } from '../../src/sqlite/index.js'

/** Opens the file that is named by the argument, and prints how that went. */
const [, , path] = process.argv
const said = await createSqliteStore({ path }).then(
  store => store.close().then(() => 'opened'),
  (error: Error) => error.message,
)
process.stdout.write(said)
