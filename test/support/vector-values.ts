/** What the golden vectors hold, by name. Added, never changed: so are the vectors. */
export const vectorValues: Readonly<Record<string, unknown>> = {
  'pre-key': { private: Buffer.alloc(32, 1), public: Buffer.alloc(32, 2) },
  session: { _sessions: { 'BQ==': { registrationId: 1, _chains: {} } }, version: 'v1' },
  'sender-key': Buffer.from('[{"senderKeyId":1}]'),
  'identity-key': new Uint8Array(33).fill(5),
  'lid-mapping': '123456789',
  'device-list': Array.from({ length: 60 }, (_, i) => `15550001111:${i}`),
  'every tag': {
    bytes: [Buffer.from('a'), new Uint8Array([1, 2])],
    numbers: [0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2n ** 70n],
    dates: [new Date(1_760_000_000_000), new Date(Number.NaN)],
    escaped: [
      { type: 'BigInt', data: '1' },
      { type: 'Object', data: { type: 'Date', data: 0 } },
    ],
    digits: { 2024: 1 },
    text: 'ü 😀 \u0000 "',
    nothing: null,
  },
  'a long text': 'All happy families are alike; '.repeat(40),
}
