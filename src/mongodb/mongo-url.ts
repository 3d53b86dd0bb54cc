const URL_OF_MONGO = 'a mongodb:// or mongodb+srv:// URL'

/**
 * What the value must be and is not, for an error; `undefined` for a URL of MongoDB. Shows nothing of the value. Not by
 * `URL`: Node refuses a list of hosts. The driver checks the rest.
 */
export function findUrlFault(value: unknown): string | undefined {
  if (typeof value !== 'string' || value !== value.trim()) return URL_OF_MONGO
  const [, authority = '', rest = ''] = /^mongodb(?:\+srv)?:\/\/([^/?#]+)(.*)$/s.exec(value) ?? []
  if (authority === '') return URL_OF_MONGO
  // Such a character in the password cuts it in two, and its second part would be taken for a host.
  const isCut = authority.indexOf('@') !== authority.lastIndexOf('@') || /^\/[^?]*@|^#/.test(rest)
  if (!isCut) return undefined
  return `${URL_OF_MONGO} with user and password as encodeURIComponent writes them ("@" as %40, "/" as %2F, "#" as %23)`
}
