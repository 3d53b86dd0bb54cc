import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { STORES } from '../cases/names.js'
import type { Results } from '../figures.js'
import { evaluateAims, isMain } from './aims.js'
import {
  toAimsTable,
  toCodecTable,
  toFallbackTable,
  toMachineTable,
  toMarkdown,
  toRatioTable,
} from './markdown.js'
import { fillMarked } from './marked.js'
import { plotStore } from './plots.js'
import { select } from './select.js'
import { toSettingTable } from './setting-table.js'

const DOCS = new URL('../../docs/', import.meta.url)
const OUT = new URL('../out/', import.meta.url)

/** A whole run goes into docs, any other where git does not see it. Returns the folder. */
export async function writeReport(results: Results, { isWhole }: { isWhole: boolean }): Promise<URL> {
  const folder = isWhole ? new URL('benchmarks/', DOCS) : OUT
  await mkdir(folder, { recursive: true })
  const aims = evaluateAims(results)
  await writeFile(new URL('results.json', folder), `${JSON.stringify({ ...results, aims }, undefined, 2)}\n`)
  await writeFile(new URL('results.md', folder), `${toMarkdown(results)}\n`)
  for (const store of STORES.filter(name => select(results.figures, { case: name }).length > 0)) {
    await writeFile(new URL(`${store}.svg`, folder), plotStore(results, store))
  }
  if (isWhole) await fillDocs(results)
  return folder
}

async function fillDocs(results: Results): Promise<void> {
  const all = evaluateAims(results)
  const aims = toAimsTable(all)
  await fillPage(new URL('../README.md', DOCS), { main: toAimsTable(all.filter(isMain)) })
  await fillPage(new URL('BENCHMARKS.md', DOCS), {
    machine: toMachineTable(results),
    aims,
    ...Object.fromEntries(STORES.map(store => [store, toRatioTable(results, store)] as const)),
    setting: toSettingTable(results.setting),
    fallback: toFallbackTable(results),
    codec: toCodecTable(results),
  })
}

async function fillPage(page: URL, parts: Readonly<Record<string, string>>): Promise<void> {
  await writeFile(page, fillMarked(await readFile(page, 'utf8'), parts))
}
