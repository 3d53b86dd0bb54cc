import type { AccountId } from '../../test/support/fake-whatsapp/index.js'

/** Numbers that nobody has: 555-01xx is reserved for fiction. */
export function toAccount(n: number): AccountId {
  return { pn: `1202555${String(100 + n).padStart(4, '0')}`, lid: `1000000000${String(n).padStart(5, '0')}` }
}

export function sessionOf({ lid }: AccountId): string {
  return `bot-${Number(lid.slice(-5)) + 1}`
}

export function jidOf({ pn }: AccountId): string {
  return `${pn}@s.whatsapp.net`
}
