export type { AccountId, Addressing } from './account.js'
export { type FakeWhatsApp, startFakeWhatsApp } from './server.js'
export type { Stats } from './stats.js'
export type { ServerOptions } from './world.js'
