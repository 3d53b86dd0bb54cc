import { CREDS } from '../values.js'

export function sessionIdOf(index: number): string {
  return `bot-${index}`
}

/** As WhatsApp names a device; `keys.get('session', …)` asks for it. */
export function addressOf(index: number): string {
  return `5511900${String(index).padStart(6, '0')}.0`
}

/** One pairing, named for each session: making the keys of thousands would take longer than all the rest. */
export function makeCreds(index: number) {
  const id = `5511900${String(index).padStart(6, '0')}:1@s.whatsapp.net`
  return { ...CREDS, me: { ...CREDS.me, id } }
}
