import { createMongoStore } from '../../../src/mongodb/index.js'

/** How another process opens the store. */
export default createMongoStore
