const URL_OF_REDIS = 'a redis:// or rediss:// URL'
/** Each of these characters would end the password, or begin another part of the URL. */
const ENCODED =
  `${URL_OF_REDIS} with user and password, if any, as encodeURIComponent writes them ` +
  '("@" as %40, "#" as %23, "/" as %2F, "?" as %3F, "%" as %25)'

const UNREADABLE = `${ENCODED}, and with a host and a port from 1 to 65535 behind them`

/** What the value must be and is not, for an error; `undefined` for a URL of Redis. Shows nothing of the value. */
export function findUrlFault(value: unknown): string | undefined {
  if (typeof value !== 'string' || value !== value.trim() || !/^rediss?:\/\//i.test(value))
    return URL_OF_REDIS
  if (!URL.canParse(value)) return UNREADABLE
  // A "#", "?" or "/" may belong to the password, which it has cut in two.
  const { pathname, search, hash, username, password } = new URL(value)
  const isCut = hash !== '' || pathname.includes('@') || search.includes('@')
  if (isCut || !isEncoded(username) || !isEncoded(password)) return ENCODED
  if (!/^(\/\d{0,9})?$/.test(pathname))
    return `${URL_OF_REDIS} whose path is the number of a database, like "/0"`
  // ioredis takes any option from the query.
  if (!/^(\?family=[046])?$/.test(search)) {
    return `${URL_OF_REDIS} without a query, but for "?family=6"; other settings go into "redisOptions"`
  }
  return undefined
}

function isEncoded(text: string): boolean {
  try {
    return typeof decodeURIComponent(text) === 'string'
  } catch {
    return false
  }
}
