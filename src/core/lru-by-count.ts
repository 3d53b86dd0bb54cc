/** Options of an LRUCache with at most this many entries. Its `max` would allocate memory for all of them at once. */
export function lruByCount(most: number): { maxSize: number; sizeCalculation: () => number } {
  return { maxSize: most, sizeCalculation: () => 1 }
}
