/** The one place that knows how a store's cache of values is turned off and on. */
export const NO_CACHE = {}
/** `undefined`: there is none yet, and cached reads are not measured. */
export const WITH_CACHE: object | undefined = undefined
