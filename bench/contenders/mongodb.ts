import { useMongoAuthState } from '@luoarch/baileys-store-core/mongodb'
import { openPeerMongo } from '../peer/peer-contenders.js'
import { JSON_BYTES } from './envelopes.js'
import { createOurs, type OurName, toOptions } from './ours.js'
import { DATABASE, type Place } from './place.js'
import { createRawMongo } from './raw-mongodb.js'

const ours = (name: OurName) => (place: Place) =>
  createOurs(name, sessionId =>
    useMongoAuthState({
      sessionId,
      mongodb: {
        mongoUrl: place.mongoUrl,
        database: DATABASE,
        collection: `ours-${name}`,
        ...toOptions(name),
      },
    }),
  )

export const MONGODB = {
  raw: (place: Place) => createRawMongo(place),
  json: (place: Place) => createRawMongo(place, JSON_BYTES),
  plain: ours('plain'),
  encrypted: ours('encrypted'),
  compressed: ours('compressed'),
  cached: ours('cached'),
  peer: openPeerMongo,
}
