// A small line of values over time. ECharts comes only when a panel asks for it; its tooltip is drawn, not HTML, because
// the content security policy allows no style attributes.
import { LineChart } from 'echarts/charts';
import { AriaComponent, GridComponent, TooltipComponent } from 'echarts/components';
import { init, use as register, type ECharts } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { useEffect, useRef } from 'react';
import type { SeriesPoint } from '../api/types';
import { clock, number, type Lang } from '../pure/format';
import type { Ground } from '../pure/scale';

register([LineChart, GridComponent, TooltipComponent, AriaComponent, CanvasRenderer]);

const INKS = {
  light: {
    line: '#225780',
    area: 'rgba(34,87,128,0.14)',
    text: '#4b5f67',
    rule: '#d4dcdd',
    ground: '#ffffff',
    ink: '#14242b',
  },
  dark: {
    line: '#93c795',
    area: 'rgba(147,199,149,0.16)',
    text: '#9fb1b8',
    rule: '#26343b',
    ground: '#1a252b',
    ink: '#eaf2f3',
  },
} as const;

interface ChartProps {
  points: SeriesPoint[];
  unit: string;
  zone: string;
  lang: Lang;
  ground: Ground;
  label: string;
}

export default function Chart({ points, unit, zone, lang, ground, label }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const made = init(element, null, { renderer: 'canvas' });
    chart.current = made;
    const sizes = new ResizeObserver(() => made.resize());
    sizes.observe(element);
    return () => {
      sizes.disconnect();
      made.dispose();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    const ink = INKS[ground];
    const said = (at: number, seconds: boolean) => clock(at, at, zone, lang, seconds);
    const axisText = { color: ink.text, fontSize: 11, fontFamily: 'inherit' };
    chart.current?.setOption({
      animation: false,
      aria: { enabled: true, label: { description: label } },
      grid: { left: 40, right: 8, top: 8, bottom: 20 },
      tooltip: {
        trigger: 'axis',
        renderMode: 'richText',
        backgroundColor: ink.ground,
        borderColor: ink.rule,
        textStyle: { color: ink.ink, fontSize: 12 },
        formatter: (found: unknown) => {
          const point = (found as { value: [number, number] }[])[0]?.value;
          return point === undefined ? '' : `${said(point[0], true)}  ${number(point[1], lang)} ${unit}`;
        },
      },
      xAxis: {
        type: 'time',
        axisLine: { lineStyle: { color: ink.rule } },
        axisTick: { show: false },
        splitNumber: 4,
        axisLabel: { ...axisText, hideOverlap: true, formatter: (at: number) => said(at, false) },
      },
      yAxis: {
        type: 'value',
        scale: true,
        splitNumber: 3,
        splitLine: { lineStyle: { color: ink.rule } },
        axisLabel: { ...axisText, formatter: (value: number) => number(value, lang) },
      },
      series: [
        {
          type: 'line',
          showSymbol: points.length < 3,
          symbolSize: 5,
          lineStyle: { width: 1.6, color: ink.line },
          itemStyle: { color: ink.line },
          areaStyle: { color: ink.area },
          data: points.map((point) => [point.start, point.value]),
        },
      ],
    });
  }, [points, unit, zone, lang, ground, label]);

  return <div className="chart" ref={box} role="img" aria-label={label} />;
}
