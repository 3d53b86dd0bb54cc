import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { testRules } from '../support/promtool.js'

const RULES = new URL('../../docs/monitoring/alerts.yml', import.meta.url)
const PAGE = new URL('../../docs/monitoring/README.md', import.meta.url)
const CASES = new URL('alerts.test.yml', import.meta.url)

test('the alerts fire when they should, and not on a calm day', async () => {
  expect(await testRules(fileURLToPath(CASES))).toBe('')
})

test('each alert has a test case, and a row on its page', () => {
  const alerts = [...readFileSync(RULES, 'utf8').matchAll(/- alert: (\w+)/g)].map(match => match[1] as string)
  const cases = readFileSync(CASES, 'utf8')
  expect(alerts.length).toBeGreaterThan(0)
  expect(alerts.filter(alert => !cases.includes(`alertname="${alert}"`))).toEqual([])
  const page = readFileSync(PAGE, 'utf8')
  expect(alerts.filter(alert => !page.includes(`| \`${alert}\` |`))).toEqual([])
})
