import { type PendingWrite, sizeOf } from './pending-write.js'
import type { SessionState } from './session-state.js'

/** Over all sessions; of other writes the outbox alone has the values. */
const MAX_BYTES = 64 * 1024 * 1024

/** Writes of this process that MongoDB does not have, as far as there is room for them. */
export class HeldWrites {
  #bytes = 0

  add(state: SessionState, write: PendingWrite, operationBefore: string): void {
    const bytes = sizeOf(write)
    const isHeld = this.#bytes + bytes <= MAX_BYTES
    if (isHeld) this.#bytes += bytes
    state.add(isHeld ? write : { ...write, writes: undefined }, operationBefore)
  }

  /** MongoDB has it, or never will. */
  settle(state: SessionState, operationId: string): PendingWrite {
    const write = state.unapplied.get(operationId) as PendingWrite
    state.unapplied.delete(operationId)
    if (write.writes) this.#bytes -= sizeOf(write)
    return write
  }
}
