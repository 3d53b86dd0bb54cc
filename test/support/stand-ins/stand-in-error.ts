/** A stand-in was asked for what it cannot do: the fault of the test, and no failure of a server. */
export class StandInError extends Error {}
