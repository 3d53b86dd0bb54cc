const throwText = (): never => {
  throw new TypeError('the number 491701234567')
}
class UnreadableError extends Error {
  override get message(): string {
    return throwText()
  }
}
const throwUnreadable = (): never => {
  throw new UnreadableError()
}
const TRAPS = Object.fromEntries(
  ['get', 'has', 'ownKeys', 'getOwnPropertyDescriptor', 'getPrototypeOf'].map(trap => [trap, throwText]),
)

function withGetter<T extends object>(target: T, name: PropertyKey): T {
  return Object.defineProperty(target, name, { get: throwText, enumerable: true })
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

/** Objects that throw when they are looked at. `member`: one that the callee reads. */
export function hostileObjects(member: string): [string, object][] {
  return [
    ['a Proxy', new Proxy({}, TRAPS)],
    ['a revoked Proxy', revoked({})],
    ['a getter', withGetter({}, member)],
    [
      'a getter of an error without a message',
      Object.defineProperty({}, member, { get: throwUnreadable, enumerable: true }),
    ],
  ]
}

/** Lists that throw when they are walked. */
export function hostileLists(): [string, never[]][] {
  return [
    ['a Proxy', new Proxy([], TRAPS)],
    ['a revoked Proxy', revoked([]) as never[]],
    ['a getter', withGetter(['a'] as never[], 0)],
    ['an iterator', withGetter([] as never[], Symbol.iterator)],
  ]
}

/** What an error shows, with its causes. */
export function textsOf(error: unknown): string {
  return error instanceof Error ? `${error.message} ${error.stack} ${textsOf(error.cause)}` : String(error)
}
