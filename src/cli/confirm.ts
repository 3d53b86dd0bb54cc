import { Misuse } from './misuse.js'

/** Asks on a terminal. Elsewhere the caller has to have agreed by `--yes`. */
export async function confirmed(question: string, isAgreed: boolean): Promise<boolean> {
  if (isAgreed) return true
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new Misuse(`${question} Nobody can be asked here: give --yes.`)
  }
  const { confirm } = await import('@clack/prompts')
  return (await confirm({ message: question, initialValue: false, output: process.stderr })) === true
}
