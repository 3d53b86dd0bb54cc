/** Ways to break the protocol, each of which the model has to find. */
export interface Mutation {
  name: string
  from: string
  to: string
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'no version filter',
    from: 'if (kept.get(k).version < version) kept.set(k, { id: id, version: version }) else kept',
    to: 'kept.set(k, { id: id, version: version })',
  },
  {
    name: 'no drain at an opening',
    from: 'pure def drainsAtAll(_p: Process): bool = true',
    to: 'pure def drainsAtAll(p: Process): bool = not(p.job.opens)',
  },
  {
    name: 'no bar',
    from: 'barredBelow: max(d.barredBelow, token)',
    to: 'barredBelow: d.barredBelow',
  },
  {
    name: 'no step past Redis',
    from: 'val version = d.version + STEP\n      val isDeletion',
    to: 'val version = d.version + 1\n      val isDeletion',
  },
  {
    name: 'a load overwrites what has changed',
    from: 'r.version == job.redis.version and r.isCold == job.redis.isCold and r.outbox.keys() == Set()',
    to: 'r.outbox.keys() == Set() and job.phase == Loading',
  },
  {
    name: "no check for others' entries",
    from: 'othersWait: told.othersWait or (before != 0 and before != p.lastAdded)',
    to: 'othersWait: told.othersWait and before != -1',
  },
  {
    name: 'both lanes at once',
    from: '      p.through == Set(),\n      val c = p.past.getOnlyElement()',
    to: '      val c = p.past.getOnlyElement()',
  },
  {
    name: 'no check of the seen version on reads',
    from: 'r.exists and r.version >= p.seen and r.fence >= p.token',
    to: 'r.exists and p.seen >= 0',
  },
  {
    name: 'ack before apply',
    from: 'nondet w = oneOf(p.applied)',
    to: 'nondet w = oneOf(p.applied.union(p.backlog))',
  },
  {
    name: 'forestall by one version',
    from: 'if (d.exists) { ...d, version: d.version + STEP, newest: -1 } else d',
    to: 'if (d.exists) { ...d, version: d.version + 1, newest: -1 } else d',
  },
  {
    name: 'do not forestall',
    from: 'else if (p.hasBarrier) all {',
    to: 'else if (p.hasBarrier and p.life < 0) all {',
  },
  {
    name: 'no bound for late commands',
    from: 'else if (c.below <= r.version) "ahead"',
    to: 'else if (c.below < 0) "ahead"',
  },
  {
    name: 'the durable store counts as complete at any later version',
    from: 'hot == 0 or (beyond >= 0 and beyond % STEP < STEP / 2)',
    to: 'hot == 0 or beyond >= 0',
  },
  {
    name: 'no fence in Redis',
    from: 'else if (c.token > 0 and c.token < r.fence) "fenced"',
    to: 'else if (c.token < 0) "fenced"',
  },
  {
    name: 'new because a cold Redis says so',
    from: `val isInStep = r.exists == p.job.durable.exists and r.version == p.job.durable.version
    val found = { ...p.job.redis, exists: r.exists, version: r.version }
    val after = { ...p.job, phase: if (isInStep) Barring else Draining, redis: found }
    if (r.isCold or token <= r.fence)`,
    to: `val found = { ...p.job.redis, exists: r.exists, version: r.version }
    val after = { ...p.job, phase: Barring, redis: found }
    if (token <= r.fence)`,
  },
  {
    name: "a deletion by its tombstone's fence",
    from: 'val token = if (isDeletion and c.token == 0) r.fence else c.token',
    to: 'val token = if (isDeletion) fence else c.token',
  },
]

export function mutate(source: string, { name, from, to }: Mutation): string {
  if (!source.includes(from)) throw new Error(`the model does not have what "${name}" changes: ${from}`)
  return source.replaceAll(from, to)
}
