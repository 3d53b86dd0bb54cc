/** A flag that can be set again while a caller is about to clear it. Counts, so that the later set survives. */
export class Dirty {
  #noted = 0
  #settled = 0

  get isSet(): boolean {
    return this.#noted > this.#settled
  }

  note(): void {
    this.#noted++
  }

  /** The result clears what has been set before this call, and keeps the flag for what was set after it. */
  begin(): () => void {
    const noted = this.#noted
    return () => {
      this.#settled = Math.max(this.#settled, noted)
    }
  }
}
