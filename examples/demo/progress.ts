const WIDTH = 40

/** A line that shows how many messages have arrived: redrawn in a terminal, else written when it ends. */
export class Progress {
  readonly #total: number
  #done = 0

  constructor(total: number) {
    this.#total = total
  }

  add(): void {
    this.#done++
    if (process.stdout.isTTY) process.stdout.write(`\r${this.#line()}`)
  }

  end(): void {
    process.stdout.write(process.stdout.isTTY ? '\n' : `${this.#line()}\n`)
  }

  #line(): string {
    const filled = Math.round((this.#done / this.#total) * WIDTH)
    return `  ${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}  ${this.#done} of ${this.#total} messages decrypted`
  }
}
