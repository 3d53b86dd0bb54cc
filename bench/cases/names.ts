export const STORES = ['redis', 'mongodb', 'hybrid', 'sqlite'] as const
export type StoreName = (typeof STORES)[number]

export const CASES = [...STORES, 'encryption', 'cache', 'fallback', 'codec', 'setting'] as const
export type CaseName = (typeof CASES)[number]
