/** Brings one step of a command to its server, or does not. */
export type Deliver = <T>(what: string, execute: () => T) => Promise<T>

/** It arrives at once. */
export const atOnce: Deliver = async (_, execute) => execute()
