/** Runs `action` for each input, at most `limit` at once. Throws the first error after all have ended. */
export async function forEach<I>(
  inputs: Iterable<I> | AsyncIterable<I>,
  limit: number,
  action: (input: I) => Promise<void>,
): Promise<void> {
  const underWay = new Set<Promise<void>>()
  const errors: unknown[] = []
  for await (const input of inputs) {
    const run: Promise<void> = action(input)
      .catch(error => {
        errors.push(error)
      })
      .finally(() => underWay.delete(run))
    underWay.add(run)
    if (underWay.size >= limit) await Promise.race(underWay)
  }
  await Promise.all(underWay)
  if (errors.length > 0) throw errors[0]
}
