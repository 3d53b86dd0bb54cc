/** Whether something is to be seen to that may come up again while it is. */
export class Dirty {
  #noted = 0
  #settled = 0

  get isSet(): boolean {
    return this.#noted > this.#settled
  }

  note(): void {
    this.#noted++
  }

  /** Remembers what has been noted by now; the result says that it has been seen to. */
  begin(): () => void {
    const noted = this.#noted
    return () => {
      this.#settled = Math.max(this.#settled, noted)
    }
  }
}
