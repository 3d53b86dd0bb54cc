import type { SettingFigure } from '../figures.js'
import { type Aim, atLeast } from './aim.js'

/** 10 operations at a time, and the driver's own. */
const POOL = 20

/** What 100 sessions in one process are to reach. */
export function settingAims(setting: readonly SettingFigure[]): Aim[] {
  const of = (store: string, contender: string) =>
    setting.find(figure => figure.store === store && figure.contender === contender)
  return (['redis', 'mongodb', 'hybrid'] as const).flatMap(store => {
    const [ours, peer] = [of(store, 'compressed'), of(store, 'peer')]
    const times = ours && peer ? ours.perSecond / peer.perSecond : undefined
    const throughput = atLeast(`${store}: operations a second of 100 sessions, over the peer`, 100, times)
    return [
      throughput,
      ...(store === 'mongodb' ? [] : [connections(store, 'Redis', 1, ours, peer)]),
      ...(store === 'redis' ? [] : [connections(store, 'MongoDB', POOL, ours, peer)]),
    ]
  })
}

function connections(
  store: string,
  server: 'Redis' | 'MongoDB',
  limit: number,
  ours: SettingFigure | undefined,
  peer: SettingFigure | undefined,
): Aim {
  const count = (figure: SettingFigure | undefined) =>
    server === 'Redis' ? figure?.redisConnections : figure?.mongoConnections
  const reached = count(ours)
  return {
    what: `${store}: connections of 100 sessions to ${server}`,
    aim: limit === 1 ? '1' : `one pool, ≤ ${limit}`,
    reached: reached === undefined ? '–' : `${reached}`,
    isMet: reached === undefined ? undefined : reached <= limit,
    beside: `peer ${count(peer) ?? '–'}`,
  }
}
