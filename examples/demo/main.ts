/**
 * Real Baileys sockets against a WhatsApp of our own on this machine: they pair by QR code and talk; one of each couple
 * is killed while messages are on their way to it, comes back without a new code, and reads what it has missed.
 */
import { quietLibsignal } from '../../test/support/silence.js'
import { readArguments } from './arguments.js'
import { openPlace } from './place.js'
import { play } from './scenario.js'

quietLibsignal()
const options = readArguments()
const place = await openPlace(options)
let isWhole = false
try {
  isWhole = await play(options, place)
  if (options.path !== undefined) {
    console.log(`The sessions are in ${options.path}; their master key is ${place.masterKey}\n`)
  }
  console.log(isWhole ? 'Nothing was lost, and nobody had to pair again.' : 'Something was lost: see above.')
} catch (error) {
  console.error(error)
} finally {
  await place.leave()
}
process.exit(isWhole ? 0 : 1) // Baileys' timers would keep the process alive
