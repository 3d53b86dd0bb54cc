/** Where the servers are; as JSON, so that another process can be told. */
export interface Place {
  redisUrl: string
  mongoUrl: string
  /** For files. */
  folder: string
}

/** 64 hex characters, the same for all that encrypt. */
export const MASTER_KEY = '8f'.repeat(32)
export const DATABASE = 'bench'
