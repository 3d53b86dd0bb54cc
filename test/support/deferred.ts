export interface Deferred<T> {
  promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

/** A promise that is settled from outside. Nobody has to be listening when it is rejected. */
export function deferred<T>(): Deferred<T> {
  const parts: Partial<Deferred<T>> = {}
  const promise = new Promise<T>((resolve, reject) => {
    Object.assign(parts, { resolve, reject })
  })
  promise.catch(() => {})
  return { ...(parts as Deferred<T>), promise }
}
