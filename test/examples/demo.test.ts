import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { TYPESCRIPT } from '../support/typescript.js'

const root = resolve(import.meta.dirname, '../..')

function runDemo(...input: string[]): Promise<{ code: unknown; lines: string[] }> {
  const command = [...TYPESCRIPT, 'examples/demo/main.ts', ...input]
  return new Promise(done => {
    execFile(process.execPath, command, { cwd: root }, (error, stdout, stderr) => {
      const lines = (stderr + stdout).split('\n').map(line => line.trim().replace(/ +/g, ' '))
      done({ code: error?.code ?? 0, lines })
    })
  })
}

test('the demo on the hybrid store loses nothing and leaves nothing in the outbox', async () => {
  const { code, lines } = await runDemo('--store', 'hybrid', '--messages', '8')
  expect(lines).toEqual(
    expect.arrayContaining([
      'decrypted by their addressee 8',
      'QR codes after the kill 0',
      'writes left in the outbox 0',
      'Nothing was lost, and nobody had to pair again.',
    ]),
  )
  expect(code).toBe(0)
}, 240_000)

test.each([
  [['--store', 'redis', '--outage'], '--outage goes with --store hybrid, got redis'],
  [
    ['--store', 'hybrid', '--outage', '--redis-url', 'redis://localhost'],
    "--outage kills servers: it goes with the demo's own, not with --redis-url or --mongo-url",
  ],
  [['--store', 'redis', '--mongo-url', 'x'], '--mongo-url goes with --store mongodb or hybrid, got redis'],
])('the demo refuses %j and says what it expects', async (input, message) => {
  const { code, lines } = await runDemo(...input)
  expect(lines[0]).toBe(message)
  expect(code).toBe(1)
})
