// The marks of the vehicles, drawn once a scheme on a canvas: an arrow for a moving vehicle, a badge
// with the shape of its state for the others.
import { FLEET_STATES, type FleetState } from '../fleet/state'
import { SHAPES } from '../fleet/state-mark'

export const MARK_RATIO = 3
const SIZE = 34

export function markName(state: FleetState): string {
  return `vehicle-${state}`
}

export function drawMarks(look: CSSStyleDeclaration): Map<string, ImageData> {
  const marks = new Map<string, ImageData>()
  const color = (name: string) => look.getPropertyValue(name).trim()
  const panel = color('--vigie-panel')
  for (const state of FLEET_STATES) {
    const tone = color(`--state-${state}`)
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = SIZE * MARK_RATIO
    const pen = canvas.getContext('2d')
    if (!pen) continue
    pen.scale(MARK_RATIO, MARK_RATIO)
    pen.lineJoin = pen.lineCap = 'round'
    if (state === 'moving') arrow(pen, tone, panel)
    else badge(pen, state, tone, panel)
    marks.set(markName(state), pen.getImageData(0, 0, canvas.width, canvas.height))
  }
  return marks
}

function arrow(pen: CanvasRenderingContext2D, tone: string, panel: string): void {
  const path = new Path2D('M17 3.5 28 29 17 23.8 6 29z')
  pen.strokeStyle = panel
  pen.lineWidth = 5
  pen.stroke(path)
  pen.fillStyle = tone
  pen.fill(path)
}

function badge(
  pen: CanvasRenderingContext2D,
  state: FleetState,
  tone: string,
  panel: string,
): void {
  pen.beginPath()
  pen.arc(SIZE / 2, SIZE / 2, 12.5, 0, 2 * Math.PI)
  pen.fillStyle = panel
  pen.fill()
  pen.lineWidth = 2
  pen.strokeStyle = tone
  pen.stroke()
  pen.translate(SIZE / 2 - 8, SIZE / 2 - 8)
  const shape = SHAPES[state]
  const path = new Path2D(shape.d)
  if (shape.fill) {
    pen.fillStyle = tone
    pen.fill(path)
  }
  pen.lineWidth = shape.fill ? 1 : 1.8
  if (state === 'never') pen.setLineDash([2.4, 2.2])
  pen.stroke(path)
}
