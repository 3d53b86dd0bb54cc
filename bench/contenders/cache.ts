import type { CommonOptions } from '@luoarch/baileys-store-core'

/** The one place that knows how a store's cache of values is turned off and on. */
export const NO_CACHE: CommonOptions = { cache: false }
export const WITH_CACHE: CommonOptions = {}
