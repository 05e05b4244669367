// What a metric is of, by its name: `air.pm25` is measured, `reports.0102` counts reports, `air` counts observations.
export type MetricGroup = 'measured' | 'reports' | 'activity';

export function groupOf(metric: string): MetricGroup {
  if (metric === 'reports' || metric.startsWith('reports.')) return 'reports';
  return metric.includes('.') ? 'measured' : 'activity';
}
