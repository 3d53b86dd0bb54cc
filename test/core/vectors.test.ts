import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { deserialize, serialize } from '../../src/core/codec/buffers.js'
import { parseEnvelope, readPairing } from '../../src/core/codec/envelope.js'
import type { ValueName } from '../../src/core/names.js'
import { catchError } from '../support/catch-error.js'
import { makeCodec } from '../support/test-codec.js'
import { vectorValues } from '../support/vector-values.js'

interface EnvelopeVector {
  value: string
  /** Default JSON. */
  serialiser?: string
  cipher: string
  compression: string
  /** Of creds. */
  pairing?: boolean
  masterKey?: string
  name: ValueName
  /** Base64 of what a database holds. */
  stored: string
}

const read = (file: string) =>
  JSON.parse(readFileSync(new URL(`../vectors/${file}`, import.meta.url), 'utf8'))
const envelopes: EnvelopeVector[] = read('envelopes.json')
const texts: Record<string, string> = read('json.json')
/** Raise the counts and the digest with each addition. */
const RELEASED = {
  envelopes: 78,
  texts: 8,
  sha256: '714f030f578d77edb08604aa1532d07ef5dbc147ac6fb6b6054b510fa1c92b56',
}

describe('golden vectors', () => {
  it.each(envelopes)(
    'are read: $value, $serialiser, $cipher, compression $compression, pairing $pairing',
    async vector => {
      const { name, serialiser = 'json', cipher, compression, pairing, masterKey } = vector
      const stored = Buffer.from(vector.stored, 'base64')
      expect(parseEnvelope(stored, name)).toMatchObject({ serialiser, cipher, compression, pairing })
      expect(readPairing(stored)).toBe(pairing)
      const codec = await makeCodec(masterKey === undefined ? {} : { masterKey })
      expect(codec.decode(name, stored)).toStrictEqual(vectorValues[vector.value])
    },
  )

  it.each(['json', 'msgpack'])('cover every cipher with every compression, of %s', format => {
    const ofFormat = envelopes.filter(({ serialiser = 'json' }) => serialiser === format)
    const covered = new Set(ofFormat.map(({ cipher, compression }) => `${cipher} ${compression}`))
    const ciphers = ['none', 'aes-256-gcm', 'secretbox']
    const all = ciphers.flatMap(cipher => ['none', 'snappy', 'gzip'].map(name => `${cipher} ${name}`))
    expect([...covered].sort()).toEqual(all.sort())
  })

  it('cannot be opened without their key', async () => {
    const keyless = await makeCodec({})
    for (const { name, stored } of envelopes.filter(({ masterKey }) => masterKey !== undefined)) {
      await catchError('DECRYPTION_FAILED', () => keyless.decode(name, Buffer.from(stored, 'base64')))
    }
  })

  it.each(Object.entries(texts))(
    'include the JSON of %s, which is written and read as it stands',
    (value, text) => {
      expect(serialize(vectorValues[value])).toBe(text)
      expect(deserialize(text)).toStrictEqual(vectorValues[value])
    },
  )

  it('are unchanged since the release of format 1', () => {
    const released = [envelopes.slice(0, RELEASED.envelopes), Object.entries(texts).slice(0, RELEASED.texts)]
    const digest = createHash('sha256').update(JSON.stringify(released)).digest('hex')
    expect(digest).toBe(RELEASED.sha256)
  })
})
