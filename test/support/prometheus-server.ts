import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findPrometheus } from './promtool.js'
import { freePort, killProcess, listening } from './server-process.js'

export interface AlertingRule {
  name: string
  /** As the server writes it. */
  query: string
  labels: Record<string, string>
  annotations: Record<string, string>
  state: 'inactive' | 'pending' | 'firing'
}

export interface PrometheusServer {
  /** The labels of the series that the query gives now. */
  query(expression: string): Promise<Record<string, string>[]>
  rules(): Promise<AlertingRule[]>
  stop(): Promise<void>
}

export interface PrometheusServerOptions {
  /** Whose `/metrics` it reads every second: a host and a port. */
  target: string
  rules: string
}

/** A server on a free port of this machine, ready to answer. */
export async function startPrometheus({ target, rules }: PrometheusServerOptions): Promise<PrometheusServer> {
  const path = await findPrometheus('prometheus')
  const folder = await mkdtemp(join(tmpdir(), 'prometheus-'))
  const config = join(folder, 'prometheus.yml')
  const settings = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [rules],
    scrape_configs: [{ job_name: 'bots', static_configs: [{ targets: [target] }] }],
  }
  await writeFile(config, JSON.stringify(settings)) // which is YAML as well
  const port = await freePort()
  const place = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`]
  const server = spawn(path, [...place, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await listening(server, port)

  async function ask<T>(what: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${what}`)
    const { data, error } = (await response.json()) as { data: T; error?: string }
    if (error !== undefined) throw new Error(`${error}: ${decodeURIComponent(what)}`)
    return data
  }

  return {
    async query(expression) {
      const { result } = await ask<{ result: { metric: Record<string, string> }[] }>(
        `query?query=${encodeURIComponent(expression)}`,
      )
      return result.map(({ metric }) => metric)
    },
    async rules() {
      const { groups } = await ask<{ groups: { rules: AlertingRule[] }[] }>('rules?type=alert')
      return groups.flatMap(group => group.rules)
    },
    async stop() {
      await killProcess(server)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
