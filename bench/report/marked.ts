/** Puts each part between `<!-- bench:name -->` and `<!-- /bench:name -->`. Throws where the marks are not there. */
export function fillMarked(page: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((text, [name, part]) => {
    const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`]
    const from = text.indexOf(begin)
    const to = text.indexOf(end)
    if (from < 0 || to < from) throw new Error(`the page has no place for "${name}"`)
    return `${text.slice(0, from)}${begin}\n\n${part}\n\n${text.slice(to)}`
  }, page)
}
