import type { Status } from './status.js'

/** Not in a terminal, where nothing can be redrawn: a line when a server or a breaker changes, and so often. */
const LINE_EVERY_MS = 5000

/** How it goes during one outage: a line for each state that servers and breakers are in, kept up to date. */
export class StatusLine {
  readonly #beganMs = performance.now()
  #headline = ''
  #line = ''
  #writtenLine = ''
  #writtenMs = Number.NEGATIVE_INFINITY

  show(server: string, status: Status): void {
    const headline = `${server}, breaker ${breakerOf(status)}`.padEnd(36)
    const isNew = headline !== this.#headline
    if (isNew) this.#endState()
    this.#headline = headline
    this.#line = `${this.#elapsed()}  ${headline} ${countsOf(status)}`
    if (process.stdout.isTTY) this.#redraw()
    else if (isNew || performance.now() - this.#writtenMs >= LINE_EVERY_MS) this.#write()
  }

  end(): void {
    this.#endState()
    if (!process.stdout.isTTY && this.#line !== this.#writtenLine) this.#write()
  }

  #endState(): void {
    if (process.stdout.isTTY && this.#headline !== '') process.stdout.write('\n')
  }

  /** One that is wrapped cannot be redrawn. */
  #redraw(): void {
    process.stdout.write(`\r${this.#line.slice(0, process.stdout.columns - 1)}\x1b[K`)
  }

  #write(): void {
    console.log(this.#line)
    this.#writtenLine = this.#line
    this.#writtenMs = performance.now()
  }

  #elapsed(): string {
    return `${((performance.now() - this.#beganMs) / 1000).toFixed(1).padStart(4)} s`
  }
}

function breakerOf({ openBreakers, bots }: Status): string {
  if (openBreakers === 0) return 'closed'
  return openBreakers === bots ? 'open' : `open in ${openBreakers}/${bots}`
}

/** While Redis is gone nobody can tell what lies in the outbox. */
function countsOf({ outbox, readsByMongo, sent, decrypted }: Status): string {
  const aside = outbox === undefined ? `fallbacks ${readsByMongo}` : `outbox ${outbox}`
  return `messages ${decrypted} of ${sent}, ${aside}`
}
