/** Drawings in SVG: elements, and a frame with a horizontal and a vertical axis. */

import { visible } from '../model/ansi';
import { t } from '../model/messages';
import type { Axis } from '../model/sweep/axes';
import type { JsonValue } from '../model/types';

const NS = 'http://www.w3.org/2000/svg';

type Attributes = { [name: string]: string | number };

/** Make an SVG element. */
export function s(tag: string, attributes: Attributes, ...children: (Node | string)[]): SVGElement {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** Make an empty drawing that grows with its container. */
export const frame = (width: number, height: number): SVGElement =>
  s('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', class: 'rw-plot' });

export interface Framed {
  drawing: SVGElement;
  /** Return the coordinate of a value on the horizontal, or vertical axis. */
  x(value: JsonValue): number;
  y(value: JsonValue): number;
  left: number;
  right: number;
}

const named = (axis: Axis): string => visible(axis.name, true) + (axis.isLog ? ` (${t('logScale')})` : '');

/** Draw two axes with their ticks, grid lines and names. */
export function axes(across: Axis, up: Axis, width: number, height: number): Framed {
  const [left, right, top, bottom] = [70, width - 20, 16, height - 44];
  const x = (value: JsonValue): number => left + (across.at(value) ?? 0) * (right - left);
  const y = (value: JsonValue): number => bottom - (up.at(value) ?? 0) * (bottom - top);
  const drawing = frame(width, height);
  for (const { at, text } of across.ticks) {
    const spot = left + at * (right - left);
    drawing.append(
      s('line', { x1: spot, x2: spot, y1: top, y2: bottom, class: 'rw-rule' }),
      s('text', { x: spot, y: bottom + 16, 'text-anchor': 'middle' }, text),
    );
  }
  for (const { at, text } of up.ticks) {
    const spot = bottom - at * (bottom - top);
    drawing.append(
      s('line', { x1: left, x2: right, y1: spot, y2: spot, class: 'rw-rule' }),
      s('text', { x: left - 6, y: spot + 4, 'text-anchor': 'end' }, text),
    );
  }
  const middle = (top + bottom) / 2;
  drawing.append(
    s('text', { x: (left + right) / 2, y: height - 8, 'text-anchor': 'middle', class: 'rw-axis' }, named(across)),
    s(
      'text',
      { x: 14, y: middle, 'text-anchor': 'middle', class: 'rw-axis', transform: `rotate(-90 14 ${middle})` },
      named(up),
    ),
  );
  return { drawing, x, y, left, right };
}
