/** Plots of lines on logarithmic axes; each panel has its own scale of times. */
import { toTime } from './format.js'

export interface Series {
  label: string
  colour: string
  isDashed: boolean
  points: readonly (readonly [x: number, y: number])[]
}

export interface Panel {
  title: string
  series: readonly Series[]
}

const COLUMNS = 3
const WIDTH = 320
const HEIGHT = 230
const MARGIN = { left: 62, right: 26, top: 34, bottom: 30 }
const HEADER = 64
const STYLE = `
  .card { fill: #ffffff } text { fill: #24292f; font: 12px sans-serif }
  .title { font-size: 17px; font-weight: 600 } .panel { font-weight: 600 }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #161b22 } text { fill: #e6edf3 } .grid { stroke: #3d444d }
  }`

export function toSvg(title: string, panels: readonly Panel[]): string {
  const width = COLUMNS * WIDTH + 20
  const height = HEADER + Math.ceil(panels.length / COLUMNS) * HEIGHT + 10
  const drawn = panels.map((panel, i) => {
    const [x, y] = [10 + (i % COLUMNS) * WIDTH, HEADER + Math.floor(i / COLUMNS) * HEIGHT]
    return `<g transform="translate(${x} ${y})">${drawPanel(panel)}</g>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${title}</title><style>${STYLE}</style>`,
    `<rect class="card" width="${width}" height="${height}" rx="8"/>`,
    `<text class="title" x="20" y="28">${title}</text>`,
    drawLegend(panels),
    ...drawn,
    '</svg>\n',
  ].join('\n')
}

function drawLegend(panels: readonly Panel[]): string {
  const all = new Map(panels.flatMap(panel => panel.series).map(series => [series.label, series]))
  let x = 20
  const drawn = [...all.values()].map(series => {
    const at = x
    x += 50 + 7 * series.label.length
    return (
      `<line x1="${at}" y1="48" x2="${at + 24}" y2="48" ${stroke(series)}/>` +
      `<text x="${at + 30}" y="52">${series.label}</text>`
    )
  })
  return drawn.join('')
}

function drawPanel({ title, series }: Panel): string {
  const points = series.flatMap(one => one.points)
  const xs = toDecades(points.map(([x]) => x))
  const ys = toDecades(points.map(([, y]) => y))
  const toX = (x: number) => scale(x, xs, MARGIN.left, WIDTH - MARGIN.right)
  const toY = (y: number) => scale(y, ys, HEIGHT - MARGIN.bottom, MARGIN.top)
  const vertical = xs.map(x => {
    const at = toX(x).toFixed(1)
    return (
      `<line class="grid" x1="${at}" y1="${MARGIN.top}" x2="${at}" y2="${HEIGHT - MARGIN.bottom}"/>` +
      `<text x="${at}" y="${HEIGHT - MARGIN.bottom + 17}" text-anchor="middle">${x.toLocaleString('en')}</text>`
    )
  })
  const horizontal = ys.map(y => {
    const at = toY(y).toFixed(1)
    return (
      `<line class="grid" x1="${MARGIN.left}" y1="${at}" x2="${WIDTH - MARGIN.right}" y2="${at}"/>` +
      `<text x="${MARGIN.left - 7}" y="${Number(at) + 4}" text-anchor="end">${toTime(y).replace(/\.0+(?= )/, '')}</text>`
    )
  })
  const lines = series.map(one => {
    const places = one.points.map(([x, y]) => [toX(x).toFixed(1), toY(y).toFixed(1)] as const)
    const dots = places.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3" fill="${one.colour}"/>`)
    const path = places.map(place => place.join(',')).join(' ')
    return `<polyline points="${path}" fill="none" ${stroke(one)}/>${dots.join('')}`
  })
  const heading = `<text class="panel" x="${MARGIN.left}" y="${MARGIN.top - 10}">${title}</text>`
  return [heading, ...vertical, ...horizontal, ...lines].join('\n')
}

function stroke({ colour, isDashed }: Series): string {
  return `stroke="${colour}" stroke-width="2"${isDashed ? ' stroke-dasharray="5 4"' : ''}`
}

/** The powers of ten from the one below the smallest to the one above the largest. */
function toDecades(numbers: readonly number[]): number[] {
  const least = Math.floor(Math.log10(Math.min(...numbers)) + 1e-9)
  const most = Math.max(least + 1, Math.ceil(Math.log10(Math.max(...numbers)) - 1e-9))
  return Array.from({ length: most - least + 1 }, (_, i) => 10 ** (least + i))
}

function scale(value: number, decades: readonly number[], from: number, to: number): number {
  const [least, most] = [Math.log10(decades[0] as number), Math.log10(decades.at(-1) as number)]
  return from + ((Math.log10(value) - least) / (most - least)) * (to - from)
}
