/** Most members and elements of one value. */
export const MAX_PARTS = 2 ** 20
