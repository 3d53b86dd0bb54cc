// It tells the console of each call; what that costs is not to be measured.
console.debug = () => {}

/** Its hook takes no defaults for these. They are those of its README. */
export const SETTINGS = {
  ttl: { defaultTtl: 2_592_000, credsTtl: 2_592_000, keysTtl: 2_592_000, lockTtl: 5 },
  resilience: { operationTimeout: 5000, maxRetries: 3, retryBaseDelay: 100, retryMultiplier: 2 },
}
