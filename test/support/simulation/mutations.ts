/** Ways to break the hybrid store, each of which the simulation has to find. */
export interface Mutation {
  name: string
  edits: readonly { file: string; from: string; to: string }[]
}

const LANES = 'src/hybrid/lanes.ts'
const COMPARE = 'src/hybrid/session/compare.ts'
const SESSION_WRITER = 'src/mongodb/session-writer.ts'

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'skip the drain at open',
    edits: [{ file: 'src/hybrid/aligner.ts', from: 'await this.#relay.drain(sessionId)', to: '' }],
  },
  {
    name: 'apply keys before the head',
    edits: [
      {
        file: SESSION_WRITER,
        from: 'const isOurs = (await this.#exchange(names, document, head))',
        to: `if (writes) await applyIntent(this.#send, names, head, writes, this.#now())
             const isOurs = (await this.#exchange(names, document, head))`,
      },
    ],
  },
  {
    name: 'drop the version filter',
    edits: [
      {
        file: 'src/mongodb/intents.ts',
        from: 'const filter = { _id: names.ofSuffix(at), v: { $lt: v } }',
        to: 'const filter = { _id: names.ofSuffix(at) }',
      },
    ],
  },
  {
    name: 'forget to adopt the outbox',
    edits: [{ file: 'src/hybrid/session-opener.ts', from: 'await this.#relay.adopt(sessionId)', to: '' }],
  },
  {
    name: 'keep the other history though Redis has taken a write after it',
    edits: [
      {
        file: 'src/hybrid/outbox-relay.ts',
        from: 'await this.#forks.raise(sessionId, later, applied)',
        to: '',
      },
    ],
  },
  {
    name: 'let a late write count above the last operation alone',
    edits: [
      {
        file: COMPARE,
        from: 'if (isFromRedis(last)) return isLostThere(last) ? last : undefined',
        to: 'return isFromRedis(last) && isLostThere(last) ? last : undefined',
      },
    ],
  },
  {
    name: "repeat a deletion by its tombstone's fence",
    edits: [
      {
        file: 'src/hybrid/hybrid-deleter.ts',
        from: 'const { fencingToken = endedToken(fence) } = deletion',
        to: 'const fencingToken = fence',
      },
    ],
  },
  {
    name: 'replace the copy of a deleted session without opening it',
    edits: [
      {
        file: 'src/core/store/trash-copies.ts',
        from: 'const finding = this.#claim(operation, sessionId).then(exists =>\n      exists ? this.#find(operation, sessionId) : undefined,\n    )',
        to: 'const finding = this.#find(operation, sessionId)',
      },
    ],
  },
  {
    name: 'no stale check',
    edits: [
      {
        file: COMPARE,
        from: 'return exists && version >= seen && fence >= token',
        to: 'return exists',
      },
      {
        file: 'src/core/store/rewind-guard.ts',
        from: 'if (result && (continuesFrom(known, result.head) || this.#isOwn(known, result.head))) {',
        to: 'if (result) {',
      },
      {
        file: 'src/redis/lua/session.lua',
        from: 'if seenVersion > version then return false end',
        to: '',
      },
    ],
  },
  {
    name: 'let writes past Redis overtake',
    edits: [{ file: LANES, from: 'await route.untilRedisIsQuiet()', to: '' }],
  },
  {
    name: 'take a version that was taken before',
    edits: [
      { file: COMPARE, from: 'return taken.version <= highest && !taken.isRepeated', to: 'return false' },
    ],
  },
  {
    name: 'take a repeated write for one whose version tells whether it counts',
    edits: [{ file: 'src/hybrid/hybrid-writer.ts', from: 'taken.isRepeated ? applied?.isLate :', to: '' }],
  },
  {
    name: 'believe any history at the same version',
    edits: [
      {
        file: COMPARE,
        from: "found.version < known.version) return 'continues'",
        to: "true) return 'continues'",
      },
      {
        file: 'src/redis/lua/session.lua',
        from: "if operation == '' or string.find(ops, operation .. ' ', 1, true) then return true end",
        to: 'do return true end',
      },
    ],
  },
  {
    name: 'apply late writes together with new ones',
    edits: [
      {
        file: 'src/mongodb/applications.ts',
        from: "return isOneLate ? 'straddling' : 'new'",
        to: "return 'new'",
      },
    ],
  },
  {
    name: 'do not forestall a lost write past Redis',
    edits: [{ file: 'src/hybrid/aligner.ts', from: 'if (route.barrier)', to: 'if (route.barrier && false)' }],
  },
  {
    name: 'take a command from before the session was loaded',
    edits: [
      {
        file: 'src/redis/lua/session.lua',
        from: "if limit and limit <= version then return {0, 'AHEAD', version} end",
        to: '',
      },
    ],
  },
  {
    name: 'carry out what nobody waits for',
    edits: [LANES, SESSION_WRITER].map(file => ({ file, from: 'assertAwaited(call)', to: '' })),
  },
  {
    name: 'bring writes past those that wait before them',
    edits: [
      {
        file: 'src/hybrid/outbox-reader.ts',
        from: 'const isMissed = isIncomplete || backlog.othersWait ||',
        to: 'backlog.beginLook()(); const isMissed = isIncomplete ||',
      },
    ],
  },
  {
    name: "take another's intent off the head",
    edits: [
      {
        file: 'src/mongodb/intents.ts',
        from: 'filter: { _id, v, ops, incarnation: incarnation ?? null, late: late ?? null }',
        to: "filter: { _id, 'intent.v': v }",
      },
    ],
  },
  {
    name: 'do not notice that others wait',
    edits: [
      {
        file: 'src/hybrid/session/backlog.ts',
        from: "operationBefore !== '' && operationBefore !== this.#lastAdded",
        to: 'false',
      },
    ],
  },
  {
    name: 'take what waits before any own write for known',
    edits: [
      {
        file: 'src/hybrid/session/backlog.ts',
        from: 'operationBefore !== this.#lastAdded',
        to: "operationBefore.split('.')[0] !== write.operationId.split('.')[0]",
      },
    ],
  },
  {
    name: 'do not notice that Redis has lost a claim',
    edits: [
      { file: 'src/mongodb/applications.ts', from: 'fencingToken < barredBelow', to: 'false' },
      { file: 'src/redis/lua/session.lua', from: 'if isCold or hasLostClaim then', to: 'if isCold then' },
      { file: COMPARE, from: '&& fence >= token', to: '' },
    ],
  },
  {
    name: 'load a session over what has changed since',
    edits: [
      {
        file: 'src/hybrid/lua/install.lua',
        from: "(isCold and 'cold' or '') .. digits(version)",
        to: 'ARGV[2]',
      },
    ],
  },
  {
    name: 'go on reading from memory after a loading',
    edits: [
      {
        file: 'src/hybrid/aligner.ts',
        from: 'if (route.isApart) this.#memory',
        to: 'if (false) this.#memory',
      },
    ],
  },
  {
    name: 'no step past Redis',
    edits: [{ file: COMPARE, from: 'BYPASS_STEP = 2 ** 20', to: 'BYPASS_STEP = 1' }],
  },
  {
    name: 'take MongoDB for complete at any later version',
    edits: [{ file: COMPARE, from: '&& beyond % BYPASS_STEP < BYPASS_STEP / 2', to: '' }],
  },
  {
    name: 'forget what was seen in Redis once more has been seen elsewhere',
    edits: [{ file: COMPARE, from: 'const beyond = version - hot', to: 'const beyond = version - seen' }],
  },
  {
    name: 'renew a lease in Redis alone',
    edits: [
      {
        file: 'src/hybrid/hybrid-writer.ts',
        from: 'this.#durable.lease(sessionId, fencingToken, leaseMs)',
        to: 'leaseMs === null ? this.#durable.lease(sessionId, fencingToken, leaseMs) : Promise.resolve()',
      },
      {
        file: 'src/hybrid/session-opener.ts',
        from: 'if (peek.leaseMs > 0)',
        to: 'if (false)',
      },
    ],
  },
  {
    name: 'begin an expired session anew for its owner',
    edits: [{ file: 'src/mongodb/applications.ts', from: '!(head.exists || isExpired)', to: '!head.exists' }],
  },
]

/** Breaks the sources as they are loaded: a plugin for Vite. */
export function mutate(name: string) {
  const mutation = MUTATIONS.find(known => known.name === name)
  if (mutation === undefined) throw new Error(`there is no mutation "${name}"`)
  return {
    name: 'mutate',
    enforce: 'pre' as const,
    transform(code: string, id: string): string | undefined {
      const edits = mutation.edits.filter(({ file }) => id.endsWith(file))
      return edits.length === 0 ? undefined : edits.reduce(edit, code)
    },
  }
}

function edit(code: string, { file, from, to }: Mutation['edits'][number]): string {
  if (!code.includes(from)) throw new Error(`${file} does not have: ${from}`)
  return code.replaceAll(from, to)
}
