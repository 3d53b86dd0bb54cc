import type { StoreName } from '../cases/names.js'
import type { ContenderName } from '../figures.js'
import type { Contender } from './bot.js'
import { HYBRID } from './hybrid.js'
import { MONGODB } from './mongodb.js'
import type { Place } from './place.js'
import { REDIS } from './redis.js'
import { SQLITE } from './sqlite.js'

export type OpenContender = (place: Place) => Promise<Contender>

export const CONTENDERS: Record<StoreName, Partial<Record<ContenderName, OpenContender>>> = {
  redis: REDIS,
  mongodb: MONGODB,
  hybrid: HYBRID,
  sqlite: SQLITE,
}

export function openContender(store: StoreName, name: ContenderName, place: Place): Promise<Contender> {
  const open = CONTENDERS[store][name]
  if (open === undefined) throw new Error(`there is no ${name} on ${store}`)
  return open(place)
}
