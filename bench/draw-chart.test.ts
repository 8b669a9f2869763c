import { expect, test } from 'vitest';
import { drawChart, type Chart } from './draw-chart.ts';

const CHART: Chart = {
  name: 'requests',
  title: 'Requests & more',
  unit: 'requests',
  bars: [
    { label: '100 nodes', parts: [{ name: 'create <pods>', value: 100 }], budget: null },
    {
      label: '200 nodes',
      parts: [
        { name: 'create <pods>', value: 200 },
        { name: 'list nodes', value: 100 },
      ],
      budget: 400,
    },
  ],
};

function heights(svg: string): number[] {
  return [...svg.matchAll(/ height="([\d.]+)" fill="[^"]*"><title>/g)].map(([, height]) => Number(height));
}

test('a bar is as high as what it stands for, and what adds up stands on each other', () => {
  const svg = drawChart(CHART);
  const [one = 0, two = 0, three = 0] = heights(svg);
  expect(one).toBeGreaterThan(0);
  expect(two / one).toBeCloseTo(2, 1);
  expect(three / one).toBeCloseTo(1, 1);
  const tops = [...svg.matchAll(/ y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="[^"]*"><title>/g)].map(([, y]) => Number(y));
  expect(tops[2]).toBeCloseTo((tops[1] ?? 0) - three, 0);
});

test('a budget is a line where its value is, and makes room for itself', () => {
  const svg = drawChart(CHART);
  const line = Number(/y1="([\d.]+)"[^>]*dasharray/.exec(svg)?.[1]);
  const [, two = 0] = heights(svg);
  expect(312 - line).toBeCloseTo(two * 2, 0);
  expect(svg).toContain('budget 400');
});

test('names cannot end their element', () => {
  const svg = drawChart(CHART);
  expect(svg).toContain('create &lt;pods&gt;');
  expect(svg).toContain('Requests &amp; more');
  expect(svg).not.toContain('<pods>');
});

test('nothing but zeros can be drawn', () => {
  const svg = drawChart({ ...CHART, bars: [{ label: 'none', parts: [{ name: 'one', value: 0 }], budget: null }] });
  expect(svg).not.toMatch(/NaN|Infinity/);
});
