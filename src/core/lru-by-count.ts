/** Options of an LRUCache that holds so many entries: its `max` would take memory for all of them at once. */
export function lruByCount(most: number): { maxSize: number; sizeCalculation: () => number } {
  return { maxSize: most, sizeCalculation: () => 1 }
}
