import type { Collection, Document, MongoClient } from 'mongodb'
import type { GivenMongoClient } from '../../../src/mongodb/index.js'

export interface Alterations {
  /** Instead of the server's answer; `undefined`: the server is asked. */
  command?(command: Document): Promise<Document> | undefined
  /** Methods of the collection in place of the driver's. */
  documents?(documents: Collection): Partial<Record<keyof Collection, unknown>>
}

/** A client of which some answers are made up: those that the server of the tests would not give. */
export function alterClient(client: MongoClient, { command, documents }: Alterations): GivenMongoClient {
  return {
    options: client.options,
    connect: () => client.connect(),
    close: () => client.close(),
    db(name, ...options: unknown[]) {
      const database = client.db(name, ...(options as []))
      return {
        command: (document: Document, ...rest: unknown[]) =>
          command?.(document) ?? database.command(document, ...(rest as [])),
        collection(collection: string, ...rest: unknown[]) {
          const real = database.collection(collection, ...(rest as []))
          return Object.assign(Object.create(real), documents?.(real))
        },
      }
    },
  }
}
