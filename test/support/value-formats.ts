import { deserialize, serialize } from '../../src/core/codec/buffers.js'
import { pack, unpack } from '../../src/core/codec/packing.js'
import { NAME } from './test-codec.js'

/** What values are written as, and what they are read back from. */
export const formats: readonly { format: string; roundTrip: (value: unknown) => unknown }[] = [
  { format: 'JSON', roundTrip: value => deserialize(serialize(value)) },
  {
    format: 'MessagePack, or JSON where it must be',
    roundTrip: value => (value === null ? null : unpack(NAME, pack(NAME, value))), // a value of null is never stored
  },
]
